import { describe, expect, test } from 'vitest';
import { createSession, differentiableOps } from '../src/index.ts';
import type { Tensor } from '../src/index.ts';
import { differentiableCases } from './operation-cases.ts';
import type { Case } from './operation-cases.ts';
import { feedsOf, makeGradientProgram } from './run-case.ts';

describe('gradients equal finite differences', () => {
  test.each(differentiableCases)('%s', async (...item) => {
    const session = await createSession(makeGradientProgram(item), { backend: 'cpu' });
    const feeds = feedsOf(item);
    const exact = await session.run('run', feeds);
    const step = 2e-3;
    for (const [name, data] of Object.entries(feeds)) {
      for (let index = 0; index < data.length; index++) {
        const shifted = async (by: number): Promise<number> => {
          const copy = data.slice();
          copy[index] = (copy[index] ?? 0) + by;
          return (await session.run('run', { ...feeds, [name]: copy }))['loss']?.[0] ?? Number.NaN;
        };
        const numeric = ((await shifted(step)) - (await shifted(-step))) / (2 * step);
        const gradient = exact[name.replace('x', 'g')]?.[index] ?? Number.NaN;
        expect(Math.abs(gradient - numeric)).toBeLessThan(5e-3 * Math.max(1, Math.abs(numeric)));
      }
    }
    session.dispose();
  });

  test('every operation with a gradient is in a case above', () => {
    const used = new Set(differentiableCases.flatMap(opsWithGradients));
    expect(differentiableOps.filter((op) => !used.has(op))).toEqual([]);
  });
});

/** The operations whose own gradients a case computes: those on the way from its inputs to its loss. */
function opsWithGradients(item: Case): readonly string[] {
  const loss = makeGradientProgram(item).entries[0]?.outputs.find((output) => output.name === 'loss');
  const reaches = new Map<Tensor['node'], boolean>();
  const visit = ({ node }: Tensor): boolean => {
    const known = reaches.get(node);
    if (known !== undefined) return known;
    const below = (node.custom?.inputs ?? node.inputs).map(visit);
    const found = node.op === 'Input' || below.includes(true);
    reaches.set(node, found);
    return found;
  };
  if (loss !== undefined) visit(loss.tensor);
  return [...reaches].filter(([node, does]) => does && node.custom === undefined).map(([node]) => node.op);
}
