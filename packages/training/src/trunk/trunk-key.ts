import { createHash } from 'node:crypto';
import { Program, chooseBackend, loadBinding } from '@joyul/compute';
import type { Backend } from '@joyul/plugin-api';
import type { NamedTensor } from '@joyul/models';
import { digestWeights } from '../weight-digests.ts';
import type { FeaturePooling, TrunkModel } from './trunk-model.ts';

/** How numbers are stored: `float16` takes half the bytes, `float32` keeps every bit. */
export type StateType = 'float16' | 'float32';

/** What is kept of a text after some layers: the states of all its tokens, or one pooled vector. */
export type StateKind = 'tokens' | FeaturePooling;

/** What decides states, besides the text. */
export interface KeyParts {
  readonly trunk: TrunkModel;
  readonly weights: ReadonlyMap<string, NamedTensor>;
  readonly cut: number;
  readonly kind: StateKind;
  readonly stateType: StateType;
  readonly backend: Backend | undefined;
  readonly matmul: 'float32' | 'bfloat16';
}

/** Raise it when the same weights and texts would give other states, or the files another layout. */
const formatVersion = 2;

/** Names the states of all texts that are computed in one way: a sha256 over all that decides them. */
export function makeTrunkKey({ trunk, weights, cut, ...how }: KeyParts): string {
  const { kind, stateType, matmul } = how;
  const backend = chooseBackend(how.backend).name;
  const native = loadBinding();
  const version = backend === 'tensorflow' && native.isLoaded ? native.version : '';
  const names = [...trunk.declare(new Program(), cut).weights.keys()].sort();
  const digests = names.map((name) => [name, digestWeights(weights.get(name)?.data ?? new Float32Array())]);
  const record = [formatVersion, trunk.identity, cut, kind, stateType, backend, version, matmul, digests];
  return createHash('sha256').update(JSON.stringify(record)).digest('hex');
}

/** Names a text by the tokens that the model sees. */
export function digestText(ids: Int32Array): string {
  const bytes = new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength);
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}
