import { join } from 'node:path';
import type { StepEvent } from '@joyul/plugin-api';
import { digestOf } from '../util/hash.ts';
import type { ContinuedFrom } from '../util/continued-from.ts';
import type { Artifact } from './artifact.ts';

/** What is kept of a step that succeeded, under its fingerprint. */
export interface ActionRecord {
  readonly version: 1;
  /** Everything that decided the outputs; its digest is the fingerprint. */
  readonly record: unknown;
  readonly outputs: Readonly<Record<string, Artifact>>;
  /** Findings, curves and tables, told again when the step is reused. */
  readonly kept: readonly StepEvent[];
  readonly durationMs: number;
  /** The shorter run that it went on from. */
  readonly continuedFrom?: ContinuedFrom;
  /** Of a state that longer runs go on from: the run that left it, and the step's result in that run. */
  readonly leftBy?: { readonly runId: string; readonly fingerprint: string };
}

/** The file of a fingerprint's record. */
export const actionFile = (storeDir: string, fingerprint: string): string =>
  join(storeDir, 'actions', fingerprint.slice(0, 2), `${fingerprint}.json`);

const digestLength = 64;

const sealOf = (fingerprint: string, body: string): string => digestOf(fingerprint + body);

/** A record as its file has it: one line of JSON, and one with the digest of that line and of its name. */
export function formatAction(fingerprint: string, action: ActionRecord): string {
  const body = JSON.stringify(action);
  return `${body}\n${sealOf(fingerprint, body)}\n`;
}

/** A record from its file; undefined where a single bit of it is not as it was written, or it has another's name. */
export function parseAction(fingerprint: string, text: string): ActionRecord | undefined {
  const body = text.slice(0, -digestLength - 2);
  const isWhole =
    text.endsWith('\n') &&
    text.at(-digestLength - 2) === '\n' &&
    text.slice(-digestLength - 1, -1) === sealOf(fingerprint, body);
  return isWhole ? (JSON.parse(body) as ActionRecord) : undefined; // What formatAction wrote, as the digest proves.
}
