# The agent's user has the ids of the workspace's owner on the host, so that
# files written on either side belong to the same person; ssh refuses to work
# for an id without a passwd entry. A base that knows the ids already is left
# as it is. It comes late: another owner does not install packages anew.
# AGENT_OTHERS are the ids of further workspaces' owners, "1001:1001 1002:1002":
# OpenClaw runs each agent's sandbox as the owner of its own workspace. They
# are in the agent's group as well.
ARG AGENT_UID=1000
ARG AGENT_GID=1000
ARG AGENT_OTHERS=
RUN { getent group "${AGENT_GID}" || groupadd --gid "${AGENT_GID}" agent; } \
    && { getent passwd "${AGENT_UID}" || useradd --uid "${AGENT_UID}" \
        --gid "${AGENT_GID}" --create-home --shell /bin/bash agent; } \
    && for ids in ${AGENT_OTHERS}; do uid="${ids%:*}" gid="${ids#*:}"; \
        { getent group "${gid}" || groupadd --gid "${gid}" "agent${gid}"; } \
        && { getent passwd "${uid}" || useradd --uid "${uid}" --gid "${gid}" \
            --groups "${AGENT_GID}" --create-home --shell /bin/bash "agent${uid}"; } \
        || exit 1; done

# Fraktalia's relay, by which it reaches what listens on 127.0.0.1 alone in a
# sandbox, or in one without network: a static program that does nothing until
# it is started. Without one for this kind of processor the link leads nowhere.
COPY relay/ /usr/local/lib/fraktalia/
RUN ln -sf "../lib/fraktalia/fraktalia-relay-$(dpkg --print-architecture)" /usr/local/bin/fraktalia-relay

USER ${AGENT_UID}:${AGENT_GID}
CMD ["sleep", "infinity"]
