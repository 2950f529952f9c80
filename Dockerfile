# The image is the static binary and nothing else. Build the binary first, as ./quickstart does:
#   RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --target x86_64-unknown-linux-gnu
#   docker build -t sockwarden .
# For another architecture name its binary: --build-arg BINARY=target/aarch64-unknown-linux-gnu/release/sockwarden
FROM scratch
ARG BINARY=target/x86_64-unknown-linux-gnu/release/sockwarden
ARG VERSION=dev
LABEL org.opencontainers.image.title="sockwarden" \
      org.opencontainers.image.description="A default-deny filtering proxy for the Docker socket" \
      org.opencontainers.image.source="https://github.com/sockwarden/sockwarden" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
# /healthcheck is a link to the binary, because Compose files made for socket-proxy run it.
COPY packaging/rootfs/ /
COPY ${BINARY} /sockwarden
USER 65534:65534
EXPOSE 2375
# Asks the running proxy over a private socket. It needs no flag.
HEALTHCHECK --interval=10s --timeout=6s --start-period=5s --retries=3 CMD ["/sockwarden", "healthcheck"]
ENTRYPOINT ["/sockwarden"]
