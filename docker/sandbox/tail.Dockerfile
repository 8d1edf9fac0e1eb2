# The agent's user has the ids of the workspace's owner on the host, so that
# files written on either side belong to the same person; ssh refuses to work
# for an id without a passwd entry. A base that knows the ids already is left
# as it is. It comes last: another owner does not install packages anew.
ARG AGENT_UID=1000
ARG AGENT_GID=1000
RUN { getent group "${AGENT_GID}" || groupadd --gid "${AGENT_GID}" agent; } \
    && { getent passwd "${AGENT_UID}" || useradd --uid "${AGENT_UID}" \
        --gid "${AGENT_GID}" --create-home --shell /bin/bash agent; }

USER ${AGENT_UID}:${AGENT_GID}
CMD ["sleep", "infinity"]
