/** One visit to a room: everything that touches LiveKit, reported to a listener in the page's own terms. */

import {
  type DisconnectReason,
  LocalAudioTrack,
  type Participant,
  RemoteAudioTrack,
  type RemoteParticipant,
  type RemoteTrack,
  Room,
  RoomEvent,
  type TextStreamReader,
} from "livekit-client";
import type { Segment } from "./captions";
import { Meter } from "./meter";
import type { Grant } from "./token";
import { parseTurnEvent, TURN_TOPIC, type TurnEvent } from "./turn-events";

const TRANSCRIPTION_TOPIC = "lk.transcription";
const AGENT_STATE = "lk.agent.state";

export interface SessionListener {
  onTurnEvent(event: TurnEvent): void;
  onSegment(segment: Segment): void;
  /** The agent's state as LiveKit names it; null when no agent is in the room. */
  onAgentState(state: string | null): void;
  onReconnecting(): void;
  onReconnected(): void;
  onDisconnected(reason: DisconnectReason | undefined): void;
  onSoundBlocked(blocked: boolean): void;
}

export class Session {
  readonly #room = new Room({ disconnectOnPageLeave: true });
  readonly #listener: SessionListener;
  #mic: Meter | null = null;
  #agent: Meter | null = null;

  private constructor(listener: SessionListener) {
    this.#listener = listener;
    this.#listen();
  }

  /** Join the granted room with the microphone on. */
  static async join(grant: Grant, listener: SessionListener): Promise<Session> {
    const session = new Session(listener);
    const room = session.#room;
    try {
      await room.connect(grant.url, grant.token);
      await room.localParticipant.setMicrophoneEnabled(true);
    } catch (error) {
      room.removeAllListeners();
      await room.disconnect();
      throw error;
    }
    session.#reportAgent();
    return session;
  }

  async setMuted(muted: boolean): Promise<void> {
    await this.#room.localParticipant.setMicrophoneEnabled(!muted);
  }

  async startSound(): Promise<void> {
    await this.#room.startAudio();
  }

  async leave(): Promise<void> {
    this.#room.removeAllListeners();
    this.#closeMeters();
    await this.#room.disconnect();
  }

  /** How loud both sides are now. */
  levels(): { you: number; agent: number } {
    return { you: this.#mic?.rms() ?? 0, agent: this.#agent?.rms() ?? 0 };
  }

  #listen(): void {
    const listener = this.#listener;
    this.#room
      .on(RoomEvent.DataReceived, (payload, _participant, _kind, topic) => this.#onData(payload, topic))
      .on(RoomEvent.Reconnecting, () => listener.onReconnecting())
      .on(RoomEvent.SignalReconnecting, () => listener.onReconnecting())
      .on(RoomEvent.Reconnected, () => listener.onReconnected())
      .on(RoomEvent.Disconnected, (reason) => this.#onDisconnected(reason))
      .on(RoomEvent.AudioPlaybackStatusChanged, () => listener.onSoundBlocked(!this.#room.canPlaybackAudio))
      .on(RoomEvent.ParticipantConnected, () => this.#reportAgent())
      .on(RoomEvent.ParticipantDisconnected, () => this.#reportAgent())
      .on(RoomEvent.ParticipantAttributesChanged, (_changed, participant) => this.#onAttributes(participant))
      .on(RoomEvent.LocalTrackPublished, ({ track }) => this.#onMicrophone(track))
      .on(RoomEvent.TrackSubscribed, (track) => this.#onTrack(track))
      .on(RoomEvent.TrackUnsubscribed, (track) => track.detach().forEach((element) => element.remove()));
    this.#room.registerTextStreamHandler(TRANSCRIPTION_TOPIC, (reader, { identity }) => void this.#read(reader, identity));
  }

  #onData(payload: Uint8Array, topic: string | undefined): void {
    const event = topic === TURN_TOPIC ? parseTurnEvent(payload) : null;
    const mine = event?.participant === undefined || event.participant === this.#room.localParticipant.identity;
    if (event !== null && mine) this.#listener.onTurnEvent(event);
  }

  /** The user's segments come whole, again and again as they grow; the agent's come as one growing stream. */
  async #read(reader: TextStreamReader, identity: string): Promise<void> {
    const mine = identity === this.#room.localParticipant.identity;
    // Another visitor's words are not for this page; a participant who is gone already was the agent.
    if (!mine && this.#room.remoteParticipants.get(identity)?.isAgent === false) return;
    const who = mine ? "you" : "agent";
    const id = reader.info.attributes?.["lk.segment_id"] ?? reader.info.id;
    let text = "";
    for await (const chunk of reader) {
      text += chunk;
      this.#listener.onSegment({ id, who, text, final: false });
    }
    const final = who === "agent" || reader.info.attributes?.["lk.transcription_final"] === "true";
    this.#listener.onSegment({ id, who, text, final });
  }

  #onDisconnected(reason: DisconnectReason | undefined): void {
    this.#closeMeters();
    this.#listener.onDisconnected(reason);
  }

  #onAttributes(participant: Participant): void {
    if (participant.isAgent) this.#reportAgent();
  }

  #reportAgent(): void {
    const agent = [...this.#room.remoteParticipants.values()].find((one: RemoteParticipant) => one.isAgent);
    this.#listener.onAgentState(agent === undefined ? null : (agent.attributes[AGENT_STATE] ?? "initializing"));
  }

  #onMicrophone(track: unknown): void {
    if (!(track instanceof LocalAudioTrack)) return;
    this.#mic?.close();
    this.#mic = new Meter(track);
  }

  #onTrack(track: RemoteTrack): void {
    if (!(track instanceof RemoteAudioTrack)) return;
    document.body.append(track.attach());
    this.#agent?.close();
    this.#agent = new Meter(track);
  }

  #closeMeters(): void {
    this.#mic?.close();
    this.#agent?.close();
    this.#mic = this.#agent = null;
  }
}
