# The image of OpenClaw's sandbox containers.
#
# One cached layer per group of packages, those that change least first: what
# is added to a later group leaves the earlier ones as they are. Each layer
# fetches fresh package lists, because a cached list names packages that the
# mirror has replaced since, and drops them again.
#
# It stays within what both of Docker's builders understand, and fetches
# nothing but the distribution's signed packages.
ARG BASE=debian:bookworm-slim
FROM ${BASE}

# First, so that what a failed build leaves behind is known as ours as well.
LABEL io.fraktalia.image=sandbox

ENV DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8
