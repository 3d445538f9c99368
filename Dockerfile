# A static binary and nothing else: docker run --rm -v "$PWD:/work" thebot-lint charts/
FROM rust:1-slim AS build
WORKDIR /src
COPY . .
ENV RUSTFLAGS="-C target-feature=+crt-static"
# With a target named, build scripts and macros are not linked statically, which they cannot be.
RUN cargo build --locked --profile dist --target "$(rustc -vV | sed -n 's/^host: //p')" && cp target/*/dist/thebot-lint /thebot-lint

FROM scratch
COPY --from=build /thebot-lint /thebot-lint
WORKDIR /work
ENTRYPOINT ["/thebot-lint"]
