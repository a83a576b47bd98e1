# The engine of scripts/ci/test-containers: buildah, podman and runc in a folder of their own.
# shellcheck shell=bash

say() { echo "[$SECONDS s] $*"; }

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# Installs what is missing and points it at one temporary folder, $lab, that is removed at the end.
prepare_engine() { # OTHER PACKAGES
    if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
        echo "skipped: the containers are tested as root on Debian or Ubuntu only (they need buildah, podman, runc)"
        exit 0
    fi
    local tools=(buildah podman runc "$@")
    local tool missing=
    for tool in "${tools[@]}"; do
        command -v "$tool" >/dev/null || missing=1
    done
    if [[ -n $missing ]]; then
        say "installing ${tools[*]}"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${tools[@]}" >/dev/null
    fi
    lab=$(mktemp -d)
    trap 'while umount -R "$lab/store/overlay" 2>/dev/null; do :; done; rm -rf "$lab"' EXIT
    export CONTAINERS_STORAGE_CONF=$lab/storage.conf CONTAINERS_CONF=$lab/containers.conf
    printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$lab/store" "$lab/run" >"$CONTAINERS_STORAGE_CONF"
    local files
    files=$(ulimit -Hn)
    cat >"$CONTAINERS_CONF" <<CONF
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=32768:32768"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
CONF
    export TINDERBOX_ENGINE=podman
    image=localhost/tinderbox:cpu
}

# base_image SUITE NAME PACKAGES: a stand-in for an image of a registry, from the mirror that this machine uses.
base_image() {
    local mirror container
    # shellcheck disable=SC2016 # apt expands it
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' | awk 'NR == 1')
    debootstrap --variant=minbase --include="$3" "$1" "$lab/root" ${mirror:+"$mirror"} >"$lab/debootstrap.log" 2>&1 || {
        tail -n 5 "$lab/debootstrap.log"
        fail "debootstrap of $1"
    }
    container=$(buildah from scratch)
    buildah add -q "$container" "$lab/root" / >/dev/null
    buildah config --env PATH=/toolchain/bin:/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        --env CARGO_HOME=/usr/local/cargo "$container"
    buildah commit -q --rm "$container" "localhost/$2" >/dev/null
    rm -rf "$lab/root"
    say "stand-in for $2"
}

# Where Cargo puts the program of a static build.
static_build() { # PROFILE
    scripts/static sh -c "echo \"\${CARGO_TARGET_DIR:-target}/\$CARGO_BUILD_TARGET/$1/tinderbox\""
}

# The shipped Dockerfile around a binary that is there already: a folder takes the place of its build stage.
image_around() { # BINARY
    if readelf -d "$1" | grep -q NEEDED; then
        fail "$1 needs libraries of the system: build it with scripts/static"
    fi
    scripts/image/root "$1" "$lab/stage/rootfs" --no-default-features
    buildah bud --isolation chroot --pull-never --build-context "build=$lab/stage" \
        --build-arg VERSION=test -t "$image" . >"$lab/build.log" 2>&1 || {
        tail -n 30 "$lab/build.log"
        fail "the image does not build"
    }
    say "image around $1: $(size_of "$image") bytes"
}

size_of() { podman image inspect --format '{{.Size}}' "$1"; }

# Runs the image as a careful person does: any user, nothing granted. With `kept=1` the container stays.
box() {
    local once=(--rm)
    [[ -z ${kept:-} ]] || once=()
    podman run "${once[@]}" --network none --read-only --read-only-tmpfs=false --tmpfs /tmp:rw,size=64m,mode=1777 \
        --user "${user:-4242:4343}" --cap-drop ALL --security-opt no-new-privileges "$@"
}

# expect CODE TEXT COMMAND...: the command ends with the code, and its output holds the text.
expect() {
    local code=$1 text=$2 got=0
    shift 2
    "$@" >"$lab/out" 2>&1 </dev/null || got=$?
    if [[ $got != "$code" ]] || ! grep -qF -- "$text" "$lab/out"; then
        cat "$lab/out" >&2
        fail "$* ended with $got, not $code, or did not say: $text"
    fi
}
