import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { layOut } from '../../src/graph/layered-layout.ts';
import type { Link } from '../../src/graph/layered-layout.ts';

const boxes = (count: number): readonly { readonly width: number; readonly height: number }[] =>
  Array.from({ length: count }, (_, at) => ({ width: 100 + 10 * (at % 3), height: 40 }));

/** A graph: each node after the first needs some that came before it. */
const graphs = fc
  .array(fc.array(fc.nat({ max: 1000 }), { maxLength: 3 }), { minLength: 1, maxLength: 40 })
  .map((needs) => ({
    count: needs.length,
    links: needs.flatMap((list, to): readonly Link[] =>
      to === 0 ? [] : [...new Set(list.map((need) => need % to))].map((from) => ({ from, to })),
    ),
  }));

test('what needs something stands below it', () => {
  fc.assert(
    fc.property(graphs, ({ count, links }) => {
      const { nodes } = layOut(boxes(count), links);
      for (const { from, to } of links) expect(nodes[to]?.y).toBeGreaterThan(nodes[from]?.y ?? 0);
    }),
  );
});

test('no two boxes overlap, and all are inside the picture', () => {
  fc.assert(
    fc.property(graphs, ({ count, links }) => {
      const all = boxes(count);
      const { nodes, width, height } = layOut(all, links);
      const placed = all.map((box, at) => {
        const { x, y } = nodes[at] ?? { x: NaN, y: NaN };
        return { left: x - box.width / 2, right: x + box.width / 2, top: y, bottom: y + box.height };
      });
      for (const one of placed) {
        expect(one.left).toBeGreaterThanOrEqual(-1e-6);
        expect(one.right).toBeLessThanOrEqual(width + 1e-6);
        expect(one.bottom).toBeLessThanOrEqual(height + 1e-6);
        const isBeside = (other: typeof one): boolean =>
          one === other ||
          one.top !== other.top ||
          one.right <= other.left + 1e-6 ||
          other.right <= one.left + 1e-6;
        expect(placed.every(isBeside)).toBe(true);
      }
    }),
  );
});

test('edges that need not cross do not', () => {
  // 0 → 3, 1 → 2: without ordering the two would cross.
  const { nodes } = layOut(boxes(4), [
    { from: 0, to: 3 },
    { from: 1, to: 2 },
  ]);
  const [a, b, c, d] = nodes.map((node) => node.x);
  expect(Math.sign((a ?? 0) - (b ?? 0))).toBe(Math.sign((d ?? 0) - (c ?? 0)));
});

test('a thousand steps in one row of needs are not one row of boxes', () => {
  const links = Array.from({ length: 999 }, (_, at) => ({ from: 0, to: at + 1 }));
  const { width, height } = layOut(boxes(1000), links);
  expect(width / height).toBeLessThan(4);
});
