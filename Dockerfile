# The CPU image: one static program on nothing at all.
#
#   docker build -t tinderbox:cpu .          or scripts/build, which also fills in the labels
#
# Needs BuildKit (Docker 23 and newer) or buildah/podman. Compiled crates stay in cache mounts, so that an edit
# compiles our own crates alone. No VOLUME: it would leave an unnamed volume behind each run. No
# HEALTHCHECK: a training is a job that ends, and its exit code says how it went.
FROM rust:1.95-bookworm AS build
LABEL io.tinderbox.stage=build
# libjpeg-turbo is built from the source that its crate brings.
RUN apt-get update \
    && apt-get install -y --no-install-recommends cmake nasm \
    && rm -rf /var/lib/apt/lists/*
# Writes the list of all crates into the program, where `cargo audit bin`, Syft and Trivy find it.
RUN --mount=type=cache,id=tinderbox-cargo,target=/usr/local/cargo/registry,sharing=locked \
    cargo install --locked --version 0.7.7 cargo-auditable
WORKDIR /src
COPY . .
# A source that is older than the last build, by its date, is compiled all the same.
RUN --mount=type=cache,id=tinderbox-cargo,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=tinderbox-target-cpu,target=/src/target,sharing=locked \
    find . -path ./target -prune -o -name '*.rs' -exec touch {} + \
    && scripts/static scripts/image/program cargo auditable rustc \
    && scripts/image/root "target/$(scripts/static printenv CARGO_BUILD_TARGET)/dist/tinderbox" /rootfs --no-default-features

FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL io.tinderbox.image=cpu \
      org.opencontainers.image.title=tinderbox \
      org.opencontainers.image.description="Trains image classifiers on a CPU" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.source=$SOURCE \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION
COPY --from=build /rootfs/ /
# There is no home and no entry in /etc/passwd; any --user UID:GID works.
# Apptainer does not start in /, so that the folders are named.
ENV HOME=/tmp TINDERBOX_IMAGE=cpu \
    TINDERBOX_DATASETS=/datasets TINDERBOX_MODELS=/models TINDERBOX_IMAGES=/images
WORKDIR /
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/tinderbox"]
