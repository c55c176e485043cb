import type { Continues, JsonValue } from '@joyul/plugin-api';
import { formatCanonicalJson } from '../util/canonical-json.ts';
import { digestOf } from '../util/hash.ts';
import type { FingerprintRecord } from './fingerprint.ts';

/** Raise it when the meaning of stored states changes: none is then found again. */
const prefixVersion = 1;

/** Everything that decides a step's work up to any extent. */
export interface PrefixWork extends FingerprintRecord {
  readonly prefixVersion: number;
  /** Digest of what the plugin says in place of the params and inputs that are left out. */
  readonly key: string;
}

function omit<T>(values: Readonly<Record<string, T>>, names: readonly string[]): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => !names.includes(name)));
}

/**
 * All of a step's record but the params and inputs that the plugin names, in whose place its key stands.
 *
 * A plugin that forgets something therefore misses a state; it can only be given a wrong one by leaving out of
 * its key what it named. Of the key only the digest is kept, since params may hold secrets.
 */
export function makePrefixWork(record: FingerprintRecord, continues: Continues, key: JsonValue): PrefixWork {
  const params = record.params as Readonly<Record<string, unknown>>; // The schema of params is one of an object.
  return {
    ...record,
    params: omit(params, continues.params ?? []),
    inputs: omit(record.inputs, continues.inputs ?? []),
    prefixVersion,
    key: digestOf(formatCanonicalJson(key)),
  };
}
