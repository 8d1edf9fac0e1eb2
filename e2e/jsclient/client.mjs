// Element's own encryption on Node, driven by JSON lines: one request a line
// on standard input ({"id", "do", ...}), one answer a line on descriptor 3
// ({"id", "ok", ...} or {"id", "error"}; the SDK writes its log to the usual
// two). The Go package beside this file starts it and says what the requests
// mean.
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import * as sdk from "matrix-js-sdk";
import { decodeRecoveryKey, OnlySignedDevicesIsolationMode, VerificationPhase, VerificationRequestEvent, VerifierEvent } from "matrix-js-sdk/lib/crypto-api/index.js";

let client, timeout, recoveryKey;

const until = (what, look, ms = timeout) => new Promise((done, fail) => {
    const end = Date.now() + ms;
    const ask = async () => {
        try {
            const found = await look();
            if (found) return done(found);
        } catch (e) {
            return fail(e);
        }
        if (Date.now() > end) return fail(new Error(`waited ${ms} ms for ${what}`));
        setTimeout(ask, 20);
    };
    ask();
});

// login brings up one new device; with onlySigned it neither gives keys to
// devices that their owner has not signed, nor reads what they send.
async function login({ homeserver, user, password, onlySigned, patience }) {
    timeout = patience;
    const session = await sdk.createClient({ baseUrl: homeserver }).loginRequest({
        type: "m.login.password", identifier: { type: "m.id.user", user }, password, initial_device_display_name: "matrix-js-sdk",
    });
    client = sdk.createClient({
        baseUrl: homeserver, userId: session.user_id, deviceId: session.device_id, accessToken: session.access_token,
        verificationMethods: ["m.sas.v1"],
        cryptoCallbacks: { getSecretStorageKey: async ({ keys }) => [Object.keys(keys)[0], decodeRecoveryKey(recoveryKey)] },
    });
    await client.initRustCrypto({ useIndexedDB: false });
    if (onlySigned) client.getCrypto().setDeviceIsolationMode(new OnlySignedDevicesIsolationMode());
    await client.startClient({ initialSyncLimit: 30 });
    await until("the first sync", () => client.isInitialSyncComplete());
    return { user_id: session.user_id, device_id: session.device_id };
}

// sign publishes a cross-signing identity and signs this device with it.
async function sign({ password }) {
    const identifier = { type: "m.id.user", user: client.getUserId() };
    await client.getCrypto().bootstrapCrossSigning({
        setupNewCrossSigning: true,
        // A first identity needs no password, a later one does.
        authUploadDeviceSigningKeys: (send) => send(null).catch((e) => {
            if (!e.data?.session) throw e;
            return send({ type: "m.login.password", session: e.data.session, identifier, password });
        }),
    });
    return {};
}

// sign_with takes the account's identity out of secret storage with its
// recovery key and signs this device with it, as a second login does.
async function signWith({ recovery_key: key }) {
    recoveryKey = key;
    await client.getCrypto().userHasCrossSigningKeys(client.getUserId(), true); // only a known identity can be taken
    await client.getCrypto().bootstrapCrossSigning({});
    return {};
}

async function join({ room }) {
    await until(`an invitation to ${room}`, () => ["invite", "join"].includes(client.getRoom(room)?.getMyMembership()));
    await client.joinRoom(room);
    await until("the room's state", () => client.getRoom(room)?.hasEncryptionStateEvent());
    await until("the room's encryption", () => client.getCrypto().isEncryptionEnabledInRoom(room));
    return {};
}

async function say({ room, text }) {
    const sent = await client.sendTextMessage(room, text);
    return { event_id: sent.event_id };
}

// reply waits for the bot's first answer to a command, decrypted, and tells
// the shield that Element would show at it.
async function reply({ room, to }) {
    const found = await until(`a reply to ${to}`, async () => {
        for (const e of client.getRoom(room).getLiveTimeline().getEvents()) {
            await client.decryptEventIfNeeded(e);
            if (e.getSender() !== client.getUserId() && e.replyEventId === to && e.getType() === "m.room.message") return e;
        }
    });
    return told(found);
}

// read waits until an event can be read.
async function read({ room, event }) {
    return told(await until(`${event} to be readable`, async () => {
        const e = client.getRoom(room).findEventById(event);
        if (e) await client.decryptEventIfNeeded(e);
        return e?.getType() === "m.room.message" && !e.isDecryptionFailure() && e;
    }));
}

async function told(e) {
    return { event_id: e.getId(), sender: e.getSender(), encrypted: e.isEncrypted(), ...words(e), ...await shield(e) };
}

// words are the latest ones: an edit takes the place of what it edits.
function words(e) {
    const { body, formatted_body: html, msgtype } = e.getContent();
    return { body, html, msgtype };
}

async function shield(e) {
    const info = await client.getCrypto().getEncryptionInfoForEvent(e);
    return { shield: ["none", "grey", "red"][info?.shieldColour] ?? "none", shield_reason: info?.shieldReason ?? null };
}

// marks waits until sender has put key under an event.
async function marks({ room, event, sender, key }) {
    await until(`${key} of ${sender}`, () => client.getRoom(room).getLiveTimeline().getEvents().find((e) => {
        const rel = e.getRelation();
        return e.getType() === "m.reaction" && e.getSender() === sender && rel?.event_id === event && rel.key.replace("\ufe0f", "") === key;
    }));
    return {};
}

// verify compares emoji with user, in the room; it takes them for the same,
// since both ends are the test's. It answers with what it was shown.
async function verify({ room, user }) {
    await client.getCrypto().userHasCrossSigningKeys(user, true);
    const request = await client.getCrypto().requestVerificationDM(user, room);
    let emoji;
    await new Promise((done, fail) => {
        const limit = setTimeout(() => fail(new Error(`the verification stays in phase ${request.phase}`)), timeout);
        const step = async () => {
            if (request.phase === VerificationPhase.Cancelled) fail(new Error(`cancelled: ${request.cancellationCode}`));
            if (request.phase === VerificationPhase.Ready && !request.verifier) {
                const verifier = await request.startVerification("m.sas.v1");
                verifier.on(VerifierEvent.ShowSas, async (sas) => {
                    emoji = sas.sas.emoji.map(([picture]) => picture).join(" ");
                    await sas.confirm();
                });
                await verifier.verify();
                clearTimeout(limit);
                done();
            }
        };
        request.on(VerificationRequestEvent.Change, () => step().catch(fail));
        step().catch(fail);
    });
    const verified = async () => (await client.getCrypto().getUserVerificationStatus(user)).isCrossSigningVerified();
    await until("the verification to show", verified, 10_000).catch(() => {}); // the answer tells
    return { emoji: emoji.replaceAll("\ufe0f", ""), ...await trust({ user }) };
}

// trust is how far this account trusts user: does it have an identity, was it
// verified, and are all of the user's devices signed by it.
async function trust({ user }) {
    const crypto = client.getCrypto();
    const has = await crypto.userHasCrossSigningKeys(user, true);
    const status = await crypto.getUserVerificationStatus(user);
    const devices = (await crypto.getUserDeviceInfo([user], true)).get(user) ?? new Map();
    const unsigned = [];
    for (const [device] of devices) {
        const s = await crypto.getDeviceVerificationStatus(user, device);
        if (!s?.signedByOwner) unsigned.push(device);
    }
    return { identity: has, verified: status.isCrossSigningVerified(), devices: devices.size, unsigned };
}

async function stop() {
    client?.stopClient();
    return {};
}

const requests = { login, sign, sign_with: signWith, join, say, reply, read, marks, verify, trust, stop };
const tell = (answer) => writeSync(3, JSON.stringify(answer) + "\n");

for await (const line of createInterface({ input: process.stdin })) {
    const { id, do: what, ...args } = JSON.parse(line);
    try {
        tell({ id, ok: true, ...await requests[what](args) });
    } catch (e) {
        tell({ id, error: String(e?.message ?? e) });
    }
}
process.exit(0);
