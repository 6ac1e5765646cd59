# The server in a small image of its own. Needs BuildKit (docker build's default since 23.0) for the cache mounts.

# Not the slim one: the allocator is built from source, with make.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# Crates and compiled dependencies stay in the builder's cache: a change of ours compiles ours alone. The cache is no
# part of the layer, so the binary is copied out of it.
ARG SWITCHBOARD_REVISION=unknown
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin switchboard \
    && cp target/release/switchboard /usr/local/bin/switchboard

FROM debian:bookworm-slim
# A number, so that an orchestrator can see that it is not root; no home, no shell. So has its group, which reads the log.
RUN groupadd --system --gid 10001 switchboard \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin switchboard \
    && install --directory --owner=switchboard --group=switchboard /var/lib/switchboard
COPY --from=build /usr/local/bin/switchboard /usr/local/bin/switchboard
# Who may vouch for the receiver of webhooks. The slim image has none.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
USER 10001
WORKDIR /var/lib/switchboard
ENV SWITCHBOARD__STATE__DIR=/var/lib/switchboard
# 8080: the page, /ws and the probes. 9464: metrics, on loopback unless SWITCHBOARD__OPS__HOST says otherwise.
EXPOSE 8080 9464
STOPSIGNAL SIGTERM
# It asks where the server of this container listens, also one that was given a file by --config.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["switchboard", "--probe"]
ENTRYPOINT ["switchboard"]
