import { createHash } from 'node:crypto';

const known = new WeakMap<Float32Array, string>();

/** The sha256 of a tensor's bytes; remembered, since weights are never changed in place. */
export function digestWeights(data: Float32Array): string {
  const found = known.get(data);
  if (found !== undefined) return found;
  const digest = createHash('sha256')
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest('hex');
  known.set(data, digest);
  return digest;
}
