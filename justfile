# Everything that CI runs
check:
    .ci/run

# Layout of the code
format:
    cargo fmt --all --check

# Lints, with the GPU's code in a folder of its own
clippy:
    cargo clippy --release --workspace --all-targets -- -D warnings
    cargo clippy --release --workspace --all-targets --features gpu --target-dir "${CARGO_TARGET_DIR:-target}-gpu" -- -D warnings

# All tests
test:
    cargo test --release

# The CPU image as people use it; --record measures it, --full builds both images whole
test-containers *ARGS:
    scripts/static cargo build --release
    scripts/ci/test-containers {{ARGS}}

# The shell wrappers
test-scripts:
    scripts/ci/test-scripts
    scripts/ci/lint-containers

# The kernels' tests under valgrind
test-memory *ARGS:
    scripts/ci/test-memory {{ARGS}}

# Each fuzz target for so many seconds: `just fuzz 60 tar csv`
fuzz *ARGS:
    scripts/ci/fuzz {{ARGS}}

# The README's first command
train:
    cargo run --release -- train

# Speed beside PyTorch and Keras
bench-peers *ARGS:
    cargo build --release
    scripts/bench/peers {{ARGS}}

# Each kernel's share of what the CPU can do
bench-kernels *ARGS:
    cargo bench -p tinderbox-kernels -- {{ARGS}}

# A training on every Vulkan device beside the CPU's
test-gpu:
    cargo test --release --features gpu --target-dir "${CARGO_TARGET_DIR:-target}-gpu" --test it training::gpu:: -- --ignored --nocapture

# Licences, sources and duplicates of the dependencies
deny:
    cargo deny check licenses bans sources
