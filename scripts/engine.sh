# shellcheck shell=sh
# Read with `.` by build, run, clean and size: which engine there is, and what in it is ours.
#
# TINDERBOX_ENGINE names the engine, docker or podman; otherwise docker is taken where it is, else podman.

usage() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

# Of an engine's own words the last line says why.
fail() { # CODE WHAT CAUSE HINT
    printf '%s\n' "error: $2" "cause: $(printf '%s\n' "$3" | tail -n 1)" "hint: $4" >&2
    exit "$1"
}

wrong_usage() { # WHAT
    printf '%s\n' "error: $1" "hint: \`$0 --help\` shows the usage" >&2
    exit 2
}

# Prints a command as it could be typed.
show() { # WORD...
    line=
    for word in "$@"; do
        case $word in
            '' | *[!A-Za-z0-9_./:=,@%+-]*) word=\'$(printf '%s\n' "$word" | sed "s/'/'\\\\''/g")\' ;;
        esac
        line="$line${line:+ }$word"
    done
    printf '%s\n' "$line"
}

human() { # BYTES
    awk -v n="$1" 'BEGIN {
        split("B kB MB GB TB", unit, " ")
        for (i = 1; n >= 999.95 && i < 5; i++) n /= 1000
        printf i == 1 ? "%d %s\n" : "%.1f %s\n", n, unit[i]
    }'
}

# Sets `engine`, what to call; `kind`, docker or podman, also where podman calls itself docker; and
# `security`, what docker says of its own confinement. Podman has no daemon that could be down.
find_engine() {
    engine=${TINDERBOX_ENGINE:-docker}
    if [ -z "${TINDERBOX_ENGINE-}" ] && ! command -v docker >/dev/null; then
        engine=podman
    fi
    if ! command -v "$engine" >/dev/null; then
        missing="neither \`docker\` nor \`podman\` is in the PATH"
        [ -z "${TINDERBOX_ENGINE-}" ] || missing="\`$engine\` is not in the PATH"
        fail 4 "there is no container engine" "$missing" \
            "install docker or podman, or name another in \`TINDERBOX_ENGINE\`"
    fi
    case $("$engine" --version 2>/dev/null) in
        *podman*) kind=podman security= ;;
        *)
            kind=docker
            security=$("$engine" info --format '{{.SecurityOptions}}' 2>&1) ||
                fail 4 "\`$engine\` does not answer" "$security" "start it; \`$engine info\` must work for you"
            ;;
    esac
}

image_bytes() { # NAME OR ID
    "$engine" image inspect --format '{{.Size}}' "$1" </dev/null
}

# What of ours the engine holds, a line each: what it is (running, stopped, dangling, image or cache),
# its bytes, its name. Only what this prints is ever removed. A last line, rest, counts what cannot be
# told apart.
#
# Containers and dangling images are told by our labels. Whoever builds on top of our image has its
# label too, so that a tag must also be one that scripts/build gives.
inventory() {
    "$engine" ps --all --filter label=io.tinderbox.container --format '{{.Names}}' | while read -r name; do
        # Not from `ps`: podman says it there in words for people.
        state=$("$engine" container inspect --size --format '{{.SizeRw}} {{.State.Status}}' "$name" </dev/null) ||
            continue
        bytes=${state%% *}
        case $bytes in '' | *[!0-9]*) bytes=0 ;; esac
        case ${state#* } in
            created | configured | initialized | exited | stopped | dead) echo "stopped $bytes $name" ;;
            *) echo "running $bytes $name" ;;
        esac
    done
    for label in stage image; do
        "$engine" images --quiet --no-trunc --filter dangling=true --filter "label=io.tinderbox.$label"
    done | sort -u | while read -r id; do
        bytes=$(image_bytes "$id") || continue
        echo "dangling $bytes $id"
    done
    "$engine" images --filter label=io.tinderbox.image --format '{{.Repository}}:{{.Tag}}' | while read -r name; do
        case $name in
            *'<none>') continue ;;
            tinderbox:* | localhost/tinderbox:*) ;;
            *) continue ;;
        esac
        bytes=$(image_bytes "$name") || continue
        echo "image $bytes $name"
    done
    "${kind}_cache"
}

# Docker's build cache knows no labels, and does not say which project a layer was made for. A cache
# mount, however, is described with the id that our Dockerfiles give it (not yet in 20.10: there, all
# counts as rest). They hold nearly everything: the crates and what was compiled. A record whose own id
# has a star is in use.
docker_cache() {
    "$engine" system df --verbose --format \
        '{{range .BuildCache}}{{.ID}} {{.CacheType}} {{.Size}} {{.Description}}\n{{end}}' |
        awk 'BEGIN { unit["B"] = 1; unit["kB"] = 1e3; unit["MB"] = 1e6; unit["GB"] = 1e9; unit["TB"] = 1e12 }
            {
                name = $3
                sub(/^[0-9.]+/, "", name)
                bytes = $3 * unit[name]
            }
            $1 ~ /^[a-z0-9]+$/ && length($1) >= 20 && $2 == "exec.cachemount" &&
            / with id "\/tinderbox-(cargo|target-cpu|target-gpu)"$/ {
                printf "cache %.0f %s\n", bytes, $1
                next
            }
            { rest += bytes }
            END { if (rest) printf "rest %.0f docker'"'"'s build cache of all projects but for the above\n", rest }'
}

# Podman keeps a cache mount as a folder. Up to 4.3 it is named after its id, later in a folder for each
# user, later still after the id's hash.
podman_cache() {
    for id in tinderbox-cargo tinderbox-target-cpu tinderbox-target-gpu; do
        hash=$(printf %s "$id" | sha256sum | cut -c -16)
        for folder in "buildah-cache/$id" "buildah-cache-$(id -u)/$id" "buildah-cache-$(id -u)/$hash"; do
            folder=${TMPDIR:-/var/tmp}/$folder
            if [ -d "$folder" ]; then
                echo "cache $(as_podman du -sk "$folder" | awk '{ print $1 * 1024 }') $folder"
            fi
        done
    done
}

# Without root, podman's files belong to users that exist only inside of its own name space.
as_podman() { # COMMAND...
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        "$engine" unshare "$@"
    fi
}
