# Both Dockerfiles built whole, as users build them, and what came out. Sourced by scripts/ci/test-containers --full.
# shellcheck shell=bash

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

    # An edit with an old date compiles our own crates alone, and ships.
    local file
    file=$lab/tree/$(git grep -l 'Trains image classifiers on any machine' -- '*.rs')
    cp -p "$file" "$lab/before-edit"
    sed -i 's/Trains image classifiers on any machine/Trains image classifiers anywhere/' "$file"
    touch -d 2020-01-01 "$file"
    start=$SECONDS
    whole "$lab/cache" cpu
    warm=$((SECONDS - start))
    ! grep Compiling "$lab/whole.log" | grep -vE 'Compiling tinderbox(-[a-z]+)? ' || fail "an edit compiled other crates"
    expect 0 "Trains image classifiers anywhere" box "$image" --help
    say "an edit: $warm s, no other crate compiled"

    cp -p "$lab/before-edit" "$file"
    whole "$lab/cache" cpu # the tree as it was
    check_use
    {
        dated
        printf 'image = %s\npacked = %s\n' "$(size_of "$image")" "$(packed "$image")"
        printf 'program_sha256 = "%s"\nsame_bytes_twice = true\n' "$first"
        printf 'build_seconds = %s\nrebuild_seconds = %s\n' "$cold" "$warm"
    } >"$lab/cpu-dockerfile.toml"
    keep cpu-dockerfile
}

# The GPU image for every choice of drivers; the program is compiled once.
full_gpu() {
    local choice drivers most tag start=$SECONDS
    dated >"$lab/gpu.toml"
    for choice in "nvidia 90 gpu-nvidia" "intel 150 gpu" "all 325 gpu-all" "test 325 gpu-test"; do
        read -r drivers most tag <<<"$choice"
        tag=localhost/tinderbox:$tag
        whole "$lab/cache-gpu" gpu --drivers "$drivers"
        [[ $drivers != nvidia ]] || printf 'build_seconds = %s\n' $((SECONDS - start)) >>"$lab/gpu.toml"
        scripts/ci/check-gpu-image "$tag" "$drivers"
        (($(size_of "$tag") <= most * 1000000)) || fail "$tag has more than $most MB"
        printf '%s = %s\n%s_packed = %s\n' "$drivers" "$(size_of "$tag")" "$drivers" "$(packed "$tag")" >>"$lab/gpu.toml"
    done
    keep gpu
}

# What the figures are of; nothing is compared with them later.
dated() {
    printf 'date = %s\ncommit = "%s"\n' "$(date +%F)" "$(git describe --always --abbrev=12 --exclude '*' --dirty)"
}

full() { # cpu or gpu; both where none is named
    local part
    (($# > 0)) || set -- cpu gpu
    copy_tree
    stand_in_bases
    for part in "$@"; do
        "full_$part"
    done
}
