# The size of the CPU image, and docs/container-record.toml. Sourced by scripts/ci/test-containers.
# shellcheck shell=bash

record=docs/container-record.toml
most_image=20000000
most_packed=11500000 # the layers as a registry keeps them, packed by gzip

# One hash of all that decides the size besides our own code: every manifest with its features and
# profiles, the lock file, the files that are embedded, and the flags of the build.
inputs() {
    git ls-files -z '*Cargo.toml' ':!fuzz' Cargo.lock assets 'crates/*/assets' scripts/image/program |
        xargs -0 sha256sum | sha256sum | cut -c 1-64
}

recorded() { # KEY OF [cpu]
    awk -v key="$1" '/^\[/ { mine = /^\[cpu\]/ } mine && $1 == key { gsub(/"/, ""); print $3 }' "$record"
}

# Whether the figures are of this tree: our own code has not grown much since, and the rest is the same.
is_recorded() { # RELEASE PROGRAM, STRIPPED
    local most size
    most=$(recorded release_at_most)
    size=$(stat -c %s "$1")
    say "the release program has $size bytes; up to $most the figures in $record stand"
    ((size <= most)) && [[ $(recorded inputs) == "$(inputs)" ]]
}

# The bytes of the image as a registry keeps them: layers packed by gzip.
packed() { podman save "$1" | gzip -9 | wc -c; }

# Checks the budgets of the image and leaves its figures, as lines of the record, in $lab/cpu.toml.
measure() { # RELEASE PROGRAM, STRIPPED
    local size packed
    size=$(size_of "$image")
    packed=$(packed "$image")
    ((size <= most_image)) || fail "the CPU image has $size bytes; $most_image are allowed"
    ((packed <= most_packed)) || fail "the CPU image has $packed bytes packed; $most_packed are allowed"
    printf '%s\n' "date = $(date +%F)" "image = $size" "packed = $packed" \
        "release_at_most = $(($(stat -c %s "$1") * 105 / 100))" "inputs = \"$(inputs)\"" >"$lab/cpu.toml"
    say "the CPU image has $size bytes, $packed packed"
}

# Puts the lines of $lab/SECTION.toml into the record, in place of those that the section had.
keep() { # SECTION
    awk -v RS= -v name="[$1]" -v lines="$(<"$lab/$1.toml")" \
        'NR > 1 { print "" } index($0, name) == 1 { $0 = name "\n" lines } { print }' "$record" >"$lab/record"
    cp "$lab/record" "$record"
    say "$record has the figures of [$1]"
}
