import { expect, test } from 'vitest';
import { hasTensorflow, measureMemory } from './memory-cases.ts';

test.skipIf(!hasTensorflow)('memory is predicted within 20 % for a small model', async () => {
  const [row] = await measureMemory('minilm top 2');
  expect(Math.abs((row?.predictedMb ?? 0) / (row?.seenMb ?? 1) - 1)).toBeLessThan(0.2);
});
