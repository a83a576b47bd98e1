# What must hold for the CPU image in use. Sourced by scripts/ci/test-containers.
# shellcheck shell=bash

# What lies in the image, and how it is described.
check_image() {
    local files inspect
    podman create --name contents "$image" >/dev/null
    podman export contents | tar -tvf - --numeric-owner >"$lab/contents"
    files=$(awk '$1 ~ /^-/ { print $6 }' "$lab/contents" | grep -v '^usr/share/doc/tinderbox/' | grep -Ev '^(etc/(hosts|hostname|resolv.conf|mtab)|run/\.containerenv|dev/.*)$' || true)
    [[ $files == usr/local/bin/tinderbox ]] || fail "other files in the image: $files"
    local folder
    for folder in datasets models images; do
        grep -Eq "^drwxrwxrwx .* $folder/\$" "$lab/contents" || fail "$folder is not a folder for everybody"
    done
    grep -Eq '^drwxrwxrwt .* tmp/$' "$lab/contents" || fail "no /tmp"
    (($(podman export contents 2>/dev/null | tar -xOf - usr/share/doc/tinderbox/third-party.txt.gz | gunzip | grep -c "Permission is hereby granted") > 100)) ||
        fail "no licences of crates"
    inspect=$(podman image inspect "$image")
    podman rm contents >/dev/null
    for text in '"io.tinderbox.image": "cpu"' '"org.opencontainers.image.licenses": "MIT OR Apache-2.0"' '"User": "65532:65532"'; do
        grep -qF "$text" <<<"$inspect" || fail "the image does not say $text"
    done
    ! grep -q '"Volumes"' <<<"$inspect" || fail "the image declares volumes"
    say "contents: one program, its licences, five folders"
}

# The three folders, right and wrong.
check_folders() {
    local host=$lab/host
    mkdir -p "$host"/{datasets,models,images,empty,root,photos/pets/{cat,dog}}
    printf 'P' >"$host/file"
    chown 4242:4343 "$host"/{models,images}
    local all=(-v "$host/datasets:/datasets:ro" -v "$host/models:/models" -v "$host/images:/images")

    expect 0 "top-1" box "${all[@]}" "$image" train --epochs 1 --name first
    [[ $(stat -c %u:%g "$host/models/first/model.safetensors" "$host/images/first/curves.png" | sort -u) == 4242:4343 ]] ||
        fail "files do not belong to who ran it"
    expect 0 "first" box "${all[@]}" "$image" runs list
    expect 0 "%" box "${all[@]}" "$image" predict first /images/first/batch.png
    expect 0 "ready to train" box "${all[@]}" "$image" doctor
    user=7:7 expect 4 "belongs to 4242:4343, and you are 7:7" box "${all[@]}" "$image" train
    say "trains, predicts and finds itself ready as a user without a name, read-only, without a network"

    # Nothing, a file, the wrong folder: each is answered with the line that would be right.
    local outputs=(-v "$host/models:/models" -v "$host/images:/images")
    # shellcheck disable=SC2016 # the line is for the user's shell
    {
        expect 4 '-v "$PWD/models:/models"' box "$image" train
        expect 4 'vanish with the container' box "$image" doctor
        expect 4 '-v "$PWD/images:/images"' box -v "$host/models:/models" "$image" train
        expect 3 '-v "$PWD/datasets:/datasets:ro"' box "${outputs[@]}" "$image" train pets
        expect 3 'it holds no folders' box "${outputs[@]}" -v "$host/empty:/datasets:ro" "$image" train pets
        expect 4 'is a file' box -v "$host/file:/work" -e TINDERBOX_MODELS=/work -v "$host/images:/images" "$image" train
        expect 4 'it holds pictures of runs' box -v "$host/images:/models" -v "$host/models:/images" "$image" train
        expect 3 'it holds trained models' box "${outputs[@]}" -v "$host/models:/datasets:ro" "$image" train pets
        mkdir -p "$host/datasets/datasets/pets"/{train,test}/{cat,dog}
        expect 3 '-v "$PWD/datasets/datasets:/datasets:ro"' box "${all[@]}" "$image" train pets
        expect 3 'is itself a data set' box "${outputs[@]}" -v "$host/datasets/datasets/pets:/datasets:ro" "$image" train pets
        rm -r "$host/datasets/datasets"
        expect 4 'read-only' box -v "$host/models:/models:ro" -v "$host/images:/images" "$image" train
        expect 4 'sudo chown' box -v "$host/root:/models" -v "$host/images:/images" "$image" train
        podman volume create ours >/dev/null
        expect 3 "volume \`ours\`, not a folder of yours" box "${outputs[@]}" -v ours:/datasets "$image" train pets
        podman volume rm ours >/dev/null
    }
    say "every wrong mount is told with the right one"
}

# The container's limits, where this machine can set them.
check_limits() {
    local host=$lab/host all=(-v "$lab/host/models:/models" -v "$lab/host/images:/images")
    local code=0
    box --cpus 1 --memory 256m "$image" devices >"$lab/out" 2>&1 || code=$?
    if ((code == 125 || code == 126)); then # the engine's own
        say "skipped: limits of a container, which this machine cannot set: $(tail -n 1 "$lab/out")"
        return
    fi
    ((code == 0)) || fail "\`devices\` with limits ended with $code: $(<"$lab/out")"
    expect 0 "1 thread" box --cpus 1 "${all[@]}" "$image" train --epochs 1 --name limited
    expect 0 "268 MB is the limit of the container" box --memory 256m "${all[@]}" "$image" doctor
    expect 0 "top-1" box --memory 64m "${all[@]}" "$image" train --epochs 1 --name small
    if (($(nproc) > 1)); then
        expect 0 "by its quota" box --cpus 1 "${all[@]}" "$image" doctor
        expect 0 "by its CPU set" box --cpuset-cpus 0 "${all[@]}" "$image" doctor
        cmp "$host/models/limited/model.safetensors" "$host/models/first/model.safetensors" ||
            fail "one thread does not give the weights of $(nproc)"
    fi
    say "follows quota, CPU set and memory limit; trains within 64 MB; the same weights with one thread"
}

stops_with() { # CODE CONTAINER
    local code
    podman stop --time 10 "$2" >/dev/null 2>&1
    code=$(podman container inspect --format '{{.State.ExitCode}}' "$2")
    podman rm "$2" >/dev/null
    [[ $code == "$1" ]] || fail "SIGTERM to process 1 of \`$2\` ended with $code, not $1"
}

# docker stop: the program is process 1, gets SIGTERM, saves and ends.
check_end() {
    local waited=0
    kept=1 box --name stopped --detach -v "$lab/host/models:/models" -v "$lab/host/images:/images" "$image" \
        train --epochs 500 --name stopped >/dev/null
    until grep -qs epoch_finished "$lab/host/models/stopped/events.jsonl"; do
        sleep 0.2
        ((++waited < 300)) || fail "no epoch within a minute"
    done
    stops_with 143 stopped
    [[ -s $lab/host/models/stopped/model.safetensors && -s $lab/host/images/stopped/curves.png ]] ||
        fail "a stopped run left no model or no picture"
    # A verb that has nothing to save ends at once.
    kept=1 box --name benched --detach "$image" bench --seconds 100 >/dev/null
    sleep 1
    stops_with 143 benched
    # `podman logs` is gone with --rm; what a pipe gets is the same.
    box -v "$lab/host/models:/models" -v "$lab/host/images:/images" "$image" train --epochs 1 --name plain >"$lab/out" 2>&1
    ! grep -q $'[\x1b\r]' "$lab/out" || fail "control characters in the log"
    say "docker stop ends a run in good order; logs are plain lines"
}

# Our shell wrappers with a real engine, and a stranger's things beside ours.
check_scripts() {
    podman tag "$image" tinderbox:cpu
    mkdir "$lab/work"
    (cd "$lab/work" && expect 0 "top-1" "$OLDPWD/scripts/run" cpu train --epochs 1)
    [[ -s $lab/work/models/fashion-mnist-mini-cnn-001/model.safetensors ]] || fail "scripts/run left no model"
    [[ -d $lab/work/datasets && -s $lab/work/images/fashion-mnist-mini-cnn-001/curves.png ]] ||
        fail "scripts/run did not make its folders"
    say "scripts/run trains into the folders beside it"

    # A stranger's dangling image, tagged image, stopped container and volume; and a dangling one of ours.
    local stranger
    printf 'FROM scratch\nLABEL who=stranger\nCOPY LICENSE-MIT /\n' >"$lab/Stranger"
    stranger=$(buildah bud -q --pull-never -f "$lab/Stranger" .)
    printf 'FROM scratch\nLABEL who=stranger\nCOPY NOTICE /\n' >"$lab/Stranger"
    buildah bud -q --pull-never -f "$lab/Stranger" -t stranger:1 . >/dev/null
    podman create --name strangers stranger:1 /x >/dev/null
    podman volume create strangers >/dev/null
    printf 'FROM scratch\nLABEL io.tinderbox.stage=build\nCOPY NOTICE LICENSE-MIT /\n' >"$lab/Ours"
    local ours
    ours=$(buildah bud -q --pull-never -f "$lab/Ours" .)
    scripts/clean --dry-run >"$lab/out"
    podman image exists "$ours" || fail "scripts/clean --dry-run removed something"
    scripts/clean >"$lab/out" </dev/null
    ! podman image exists "$ours" || fail "scripts/clean left a dangling image of ours"
    { podman image exists "$stranger" && podman image exists stranger:1 && podman container exists strangers &&
        podman volume exists strangers; } || fail "scripts/clean removed a stranger's thing"
    podman image exists "$image" || fail "scripts/clean removed a tagged image without --all"
    scripts/size >"$lab/out"
    grep -q tinderbox "$lab/out" || fail "scripts/size does not show our image"
    say "scripts/clean removes ours alone; scripts/size shows it"
}

check_use() {
    check_image
    check_folders
    check_limits
    check_end
    check_scripts
}
