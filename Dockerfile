# FogGate. CPU by default; the builtin model is inside, so that a start needs no network.
#
#   docker build -t foggate .
#   docker build -t foggate --build-arg TORCH_INDEX=<index of CPU builds> .     a plain install of torch brings CUDA's gigabytes
#   docker build -t foggate:cuda --build-arg TORCH_INDEX=<index of CUDA builds> --build-arg BUILTIN= .
#   docker run --rm -p 127.0.0.1:8080:8080 foggate serve --insecure        this machine only, no keys
#   docker run --rm -p 8080:8080 -v ./keys.json:/etc/foggate/keys.json:ro -e FOGGATE_SECURITY__KEYS=/etc/foggate/keys.json foggate
# A container listens beyond loopback, so without keys it starts only when told --insecure (docs/security.md).
# Volumes, GPUs, memory, ARM: docs/deployment.md.

# What the tag named on 2026-09-21, for all its platforms. A newer one: docker buildx imagetools inspect python:3.11-slim-bookworm
ARG PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b
FROM ${PYTHON_IMAGE} AS build
# All optional: an index or a folder of wheels (inside the build) to take torch from; BUILTIN is the builtin model inside
# (builtin-1.5b: a larger one, 3.6 GB), and BUILTIN= leaves it out.
ARG TORCH_INDEX=
ARG PIP_FIND_LINKS=
ARG BUILTIN=builtin
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/foggate
COPY constraints.txt pyproject.toml README.md LICENSE ./
RUN /opt/foggate/bin/pip install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} ${PIP_FIND_LINKS:+--find-links "$PIP_FIND_LINKS"} \
    "$(grep '^torch==' constraints.txt)"
# Dependencies in a layer of their own: a change of the code alone does not install them again.
RUN mkdir app && echo '__version__ = "0"' > app/__init__.py && /opt/foggate/bin/pip install --constraint constraints.txt .
COPY app app
RUN /opt/foggate/bin/pip install --no-deps --force-reinstall .
RUN mkdir -p /models && if [ -n "$BUILTIN" ]; then /opt/foggate/bin/python -P -m app.edge.builtin /models "$BUILTIN"; fi

FROM ${PYTHON_IMAGE}
# `make image` fills them in.
ARG PYTHON_IMAGE
ARG VERSION=
ARG REVISION=
ARG CREATED=
ARG SOURCE=
LABEL org.opencontainers.image.title="FogGate" \
      org.opencontainers.image.description="A self-aware edge-cloud inference gateway for multiple-choice questions" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.base.name="$PYTHON_IMAGE"
RUN useradd --uid 10001 --no-create-home --home-dir /tmp foggate
COPY --from=build /opt/foggate /opt/foggate
# A volume that is mounted here begins with this folder's content and owner.
COPY --from=build --chown=10001:10001 /models /models
COPY config/gateway.yaml /etc/foggate/gateway.yaml
# HOME and caches point to /tmp: the root file system may be read-only.
ENV PATH=/opt/foggate/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    FOGGATE_SERVER__HOST=0.0.0.0 FOGGATE_EDGE__CACHE_DIR=/models
USER 10001
EXPOSE 8080
STOPSIGNAL SIGTERM
# Asks where process 1 listens, whatever its options, environment and configuration file say.
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 CMD ["foggate", "health", "--pid", "1"]
ENTRYPOINT ["foggate"]
CMD ["serve", "--config", "/etc/foggate/gateway.yaml"]
