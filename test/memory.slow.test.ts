import { expect, test } from 'vitest';
import { hasTensorflow, measureMemory } from './memory-cases.ts';

test.skipIf(!hasTensorflow)('memory is predicted within 20 % for MiniLM, however it is trained', async () => {
  const rows = await measureMemory('minilm');
  expect(rows.length).toBeGreaterThan(3);
  expect(rows.filter(({ predictedMb, seenMb }) => Math.abs(predictedMb / seenMb - 1) > 0.2)).toEqual([]);
});

test.skipIf(!hasTensorflow)(
  'memory is predicted within 20 % for a decoder of 135 million weights, and checkpointing takes less',
  { timeout: 1_800_000 },
  async () => {
    const rows = await measureMemory('llama-135m');
    expect(rows.length).toBeGreaterThan(8);
    expect(rows.filter(({ predictedMb, seenMb }) => Math.abs(predictedMb / seenMb - 1) > 0.2)).toEqual([]);
    const seen = new Map(rows.map(({ name, seenMb }) => [name, seenMb]));
    const checkpointed = rows.filter(
      ({ name }) => name.includes('16×128') && name.endsWith(' checkpointing'),
    );
    expect(checkpointed.length).toBeGreaterThan(0);
    for (const { name, seenMb } of checkpointed)
      expect(seenMb).toBeLessThan(0.85 * (seen.get(name.replace(' checkpointing', '')) ?? 0));
  },
);
