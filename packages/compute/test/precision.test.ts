import { expect, test } from 'vitest';
import { choosePrecision, loadBinding } from '../src/index.ts';

const isMissing = !loadBinding().isLoaded;
const title = isMissing ? ' (skipped: TensorFlow is not set up here)' : '';

test('float32 needs no measurement', async () => {
  expect(await choosePrecision('float32', 'tensorflow')).toEqual({
    name: 'float32',
    reason: 'Matrix products are in float32.',
  });
});

test('a backend without bfloat16 says so', async () => {
  expect(await choosePrecision('bfloat16', 'wasm')).toEqual({
    name: 'float32',
    reason: 'Matrix products are in float32: the wasm backend has no other.',
  });
});

test.skipIf(isMissing)(
  `\`auto\` takes bfloat16 where it gains enough, and tells the gain${title}`,
  async () => {
    const { name, gain = Number.NaN, reason } = await choosePrecision('auto', 'tensorflow');
    expect(name).toBe(gain >= 1.3 ? 'bfloat16' : 'float32');
    expect(reason).toContain(`${gain.toFixed(1)} times as fast as in float32 on this machine`);
  },
);
