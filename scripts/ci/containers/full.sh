# Both Dockerfiles built whole, as users build them, and what came out. Sourced by scripts/ci/test-containers --full.
# shellcheck shell=bash

proof=docs/container-proof.toml
# What an image is made from, besides our own code: when one of these changes, its figures are old.
sources=(.dockerignore Cargo.lock Cargo.toml kernels/Cargo.toml scripts/image/root scripts/image/third-party-licenses)
cpu_sources=("${sources[@]}" Dockerfile scripts/static)
gpu_sources=("${sources[@]}" Dockerfile.gpu scripts/image/collect-libraries scripts/ci/check-gpu-image)

# Images of the names in the Dockerfiles; this machine's Rust is mounted into the first.
stand_in_bases() {
    base_image bookworm "rust:$(sed -n 's/^FROM rust:\([^ ]*\) .*/\1/p' Dockerfile)" gcc,libc6-dev,make,ca-certificates
    base_image trixie debian:trixie-slim ca-certificates
}

# The tree as it is now, in a folder of its own: what is edited meanwhile comes into no image.
copy_tree() {
    mkdir "$lab/tree"
    git ls-files -z | xargs -0 cp --parents -t "$lab/tree"
    cp -r .git "$lab/tree/.git"
}

# whole CACHE ARGUMENTS OF scripts/build: the image, its crates compiled into the folder CACHE.
whole() {
    local cache=$1
    shift
    mkdir -p "$cache"
    local ca=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
    TMPDIR=$cache "$lab/tree/scripts/build" "$@" -- --isolation chroot --pull=never ${no_cache:+--no-cache} \
        -v "$(rustc --print sysroot):/toolchain:ro" -v "$ca:/etc/ssl/certs/ca-certificates.crt:ro" >"$lab/whole.log" 2>&1 ||
        { tail -n 30 "$lab/whole.log"; fail "scripts/build $*"; }
}

hash_in() { # IMAGE: of the program in it
    local container
    container=$(buildah from --pull-never "$1")
    sha256sum "$(buildah mount "$container")/usr/local/bin/tinderbox" | cut -c 1-64
    buildah rm "$container" >/dev/null
}

# The bytes of the image as a registry keeps them: layers packed by gzip.
packed() { podman save "$1" | gzip -9 | wc -c; }

# The CPU image: built, built again from nothing, built after an edit.
full_cpu() {
    local start cold warm first again
    start=$SECONDS
    whole "$lab/cache" cpu
    cold=$((SECONDS - start))
    first=$(hash_in "$image")
    say "CPU image, whole: $cold s, $(size_of "$image") bytes"

    # The same commit, with nothing kept from before.
    no_cache=1 whole "$lab/cache-again" cpu
    again=$(hash_in "$image")
    rm -rf "$lab/cache-again"
    [[ $first == "$again" ]] || fail "two builds of the same tree give $first and $again"
    say "built twice: the same bytes"

    # An edit with an old date compiles tinderbox alone, and ships.
    cp -p "$lab/tree/src/cli/args.rs" "$lab/args.rs"
    sed -i 's/Trains image classifiers on any machine/Trains image classifiers anywhere/' "$lab/tree/src/cli/args.rs"
    touch -d 2020-01-01 "$lab/tree/src/cli/args.rs"
    start=$SECONDS
    whole "$lab/cache" cpu
    warm=$((SECONDS - start))
    ! grep Compiling "$lab/whole.log" | grep -vE 'Compiling tinderbox(-kernels)? ' || fail "an edit compiled other crates"
    expect 0 "Trains image classifiers anywhere" box "$image" --help
    say "an edit: $warm s, no other crate compiled"

    cp -p "$lab/args.rs" "$lab/tree/src/cli/args.rs"
    whole "$lab/cache" cpu # the tree as it was, for the checks that follow
    {
        printf '[cpu]\ndate = %s\nimage = %s\npacked = %s\n' "$(date +%F)" "$(size_of "$image")" "$(packed "$image")"
        printf 'program_sha256 = "%s"\nsame_bytes_twice = true\n' "$first"
        printf 'build_seconds = %s\nrebuild_seconds = %s\n\n[cpu.made_from]\n' "$cold" "$warm"
        (cd "$lab/tree" && hashes "${cpu_sources[@]}")
    } >"$lab/cpu.toml"
    keep cpu
}

hashes() { sha256sum "$@" | awk '{ printf "\"%s\" = \"%s\"\n", $2, $1 }'; }

# Puts the new figures of one image into the proof, beside the other's.
keep() {
    local other=gpu
    [[ $1 == cpu ]] || other=cpu
    {
        echo "# Written by scripts/ci/test-containers --full, which says what is measured. Bytes, seconds, SHA-256."
        for part in cpu gpu; do
            echo
            if [[ $part == "$1" ]]; then
                cat "$lab/$1.toml"
            elif [[ -e $proof ]]; then
                awk -v part="$other" '/^\[/ { mine = $0 ~ "^\\[" part "[].]" } mine' "$proof" | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
            fi
        done
    } >"$lab/proof.toml"
    check_budgets "$lab/proof.toml"
    cp "$lab/proof.toml" "$proof"
    say "$proof has the figures of the $1 image"
}

# The GPU image for every choice of drivers; the program is compiled once.
full_gpu() {
    local drivers start=$SECONDS tag
    printf '[gpu]\ndate = %s\n' "$(date +%F)" >"$lab/gpu.toml"
    for drivers in nvidia intel all test; do
        whole "$lab/cache-gpu" gpu --drivers "$drivers"
        tag=localhost/tinderbox:gpu-$drivers
        [[ $drivers != intel ]] || tag=localhost/tinderbox:gpu
        [[ $drivers != nvidia ]] || printf 'build_seconds = %s\n' $((SECONDS - start)) >>"$lab/gpu.toml"
        printf '%s = %s\n%s_packed = %s\n' "$drivers" "$(size_of "$tag")" "$drivers" "$(packed "$tag")" >>"$lab/gpu.toml"
        scripts/ci/check-gpu-image "$tag" "$drivers"
        say "GPU image for $drivers: $(size_of "$tag") bytes"
    done
    {
        printf '\n[gpu.made_from]\n'
        (cd "$lab/tree" && hashes "${gpu_sources[@]}")
    } >>"$lab/gpu.toml"
    keep gpu
}

# The sizes that must not be passed.
check_budgets() {
    python3 - "$1" <<'PYTHON'
import sys, tomllib

proof = tomllib.load(open(sys.argv[1], "rb"))
budgets = {
    ("cpu", "image"): 20e6, ("cpu", "packed"): 10e6,
    ("gpu", "nvidia"): 90e6, ("gpu", "intel"): 150e6, ("gpu", "all"): 325e6,
}
bad = [f"{'.'.join(key)} is {proof[key[0]][key[1]]:,} bytes, at most {most:,.0f}"
       for key, most in budgets.items() if key[0] in proof and proof[key[0]][key[1]] > most]
sys.exit("\n".join(bad) or 0)
PYTHON
}

# Whether the figures are of what is here.
check_proof() {
    hashes "${cpu_sources[@]}" >"$lab/cpu.now"
    hashes "${gpu_sources[@]}" >"$lab/gpu.now"
    local part
    for part in cpu gpu; do
        if ! grep -qs "^\[$part\]" "$proof"; then
            fail "$proof has no figures of the $part image: scripts/ci/test-containers --full $part"
        fi
        awk -v part="[$part.made_from]" '/^\[/ { mine = $0 == part; next } mine && NF' "$proof" |
            diff - "$lab/$part.now" >"$lab/out" ||
            { cat "$lab/out"; fail "the figures in $proof are of another tree: scripts/ci/test-containers --full $part"; }
        say "the figures of the $part image in $proof are of this tree"
    done
    [[ ! -e $proof ]] || check_budgets "$proof"
}
