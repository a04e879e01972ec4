# What a developer types; `just` alone lists it. The same commands stand in .ci/run, which installs what they need.

set shell := ["bash", "-euo", "pipefail", "-c"]

[private]
default:
  @just --list --unsorted

# everything that has to pass before a change lands (installs packages: for a machine that is yours to change)
ci:
  .ci/run

# format, layers, cycles, words, pages, lints with all features and with the default ones, licences
lint:
  cargo fmt --all --check
  .ci/check-layers
  .ci/check-cycles
  .ci/check-words
  .ci/check-pages
  cargo clippy --workspace --all-features --all-targets -- -D warnings
  cargo clippy --workspace --all-targets -- -D warnings
  cargo deny check bans licenses sources

# all tests, the examples of the docs too; real servers that are not installed are skipped
test *ARGS:
  cargo test --all-features {{ARGS}}

# our provider where both backends of jsonwebtoken are enabled; compiles what the workspace's tests did not
two-backends *ARGS:
  CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}" cargo test --manifest-path crates/scitoken-jwt/tests/two-backends/Cargo.toml {{ARGS}}

# the docs, as docs.rs shows them, with every warning an error
doc *ARGS:
  RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps {{ARGS}}

# the tests against real servers and peers; one that is missing is a failure
interop *ARGS:
  SCITOKEN_INTEROP=required cargo test -p scitoken --all-features --test interop -- {{ARGS}}

# every pair of features compiles without a warning
features:
  cargo hack clippy --workspace --keep-going --feature-powerset --depth 2 --exclude-features default -- -D warnings

# it compiles with the oldest dependencies that Cargo.toml allows
oldest:
  CARGO_TARGET_DIR=target/oldest RUSTC_BOOTSTRAP=1 cargo minimal-versions check --workspace --direct --all-features

# each fuzz target for so many seconds; the stable compiler does, told to take the flags for coverage
fuzz seconds="60":
  for target in $(cargo fuzz list); do RUSTC_BOOTSTRAP=1 cargo fuzz run -s none "$target" -- -max_total_time={{seconds}}; done

# SQL over a table on a server with tokens or in a federation: URL of a Parquet file or directory, and the query
[positional-arguments]
datafusion URL *SQL:
  cargo run --manifest-path crates/scitoken-object-store/examples/datafusion/Cargo.toml -- "$@"

# DataFusion beside the same files in a local directory; it is built once, for some minutes
test-datafusion *ARGS:
  cargo test --manifest-path crates/scitoken-object-store/examples/datafusion/Cargo.toml {{ARGS}}

# what users install, into dist/: a binary for glibc 2.17, a wheel, a Debian package, an RPM, checksums
dist *ARGS:
  packaging/dist {{ARGS}}

# what the middleware costs a request, beside bare reqwest, an empty chain and a middleware that does nothing
bench-auth:
  cargo bench --bench auth

# what a user of the middleware alone compiles: crates, lines, seconds
middleware-size:
  .ci/middleware-size

# what it costs to verify a token, beside the signature alone and beside the libraries of others that are installed
bench-verify:
  cargo build --release --locked --manifest-path crates/scitoken-authz/benches/peers/Cargo.toml
  cargo bench -p scitoken-authz --profile release --features jsonwebtoken,sqlite --bench verify_peers

# scitoken beside curl, aria2c, wget and davix, on the same nginx; `--write` puts the table and the picture into the docs
bench-download *ARGS:
  cargo build -p scitoken --release --all-features
  crates/scitoken/benches/download.py {{ARGS}}

# 5,000 files of 20 KiB, 16 and 4 at once, beside curl on the same nginx
bench-small-files *ARGS:
  cargo build -p scitoken --release --all-features
  crates/scitoken/benches/download.py {{ARGS}} many

# 1,000 range reads of 64 KiB through the object store, beside its own HTTP store without a token
bench-ranges *ARGS:
  cargo bench -p scitoken-object-store --bench ranges {{ARGS}}

# 100,000 files in one run, from one host and from sixteen: is the last quarter as fast as the first, and the memory the same?
bench-download-many *ARGS:
  cargo build -p scitoken --release --all-features
  crates/scitoken/benches/download.py {{ARGS}} hundred-thousand many-hosts
