import { describe, expect, test } from 'vitest';
import { formatSvg } from '../../src/graph/format-svg.ts';
import { fakeGraph, fakeStep } from './support.ts';

/** Texts and tooltips of a drawing, in the order in which they stand. */
const textsOf = (svg: string): readonly string[] =>
  [...svg.matchAll(/<(title|text)[^>]*>(.*?)<\/\1>/gs)].map((match) =>
    (match[2] ?? '').replaceAll(/<[^>]*>/g, ''),
  );

const instances = (count: number): readonly ReturnType<typeof fakeStep>[] =>
  Array.from({ length: count }, (_, at) => fakeStep(`train@lr=${at}`, ['prepare.dataset']));

test('an edge names the port that it carries, and its tooltip both ends', () => {
  const texts = textsOf(formatSvg(fakeGraph([fakeStep('prepare'), fakeStep('train', ['prepare.dataset'])])));
  expect(texts).toContain('dataset');
  expect(texts).toContain('prepare.dataset → train');
});

test('instances of a matrix stand in one card', () => {
  const texts = textsOf(formatSvg(fakeGraph([fakeStep('prepare'), ...instances(3)])));
  expect(texts).toContain('train× 3');
  expect(texts.filter((text) => text.startsWith('lr='))).toEqual(['lr=0', 'lr=1', 'lr=2']);
});

test('many instances are only counted', () => {
  const texts = textsOf(formatSvg(fakeGraph([fakeStep('prepare'), ...instances(50)])));
  expect(texts).toContain('train× 50');
  expect(texts.filter((text) => text.startsWith('lr='))).toEqual([]);
});

test('names with the signs of XML are text', () => {
  const svg = formatSvg(fakeGraph([fakeStep('a<b>&"c"')], { name: '<script>' }));
  expect(svg).toContain('a&lt;b&gt;&amp;&quot;c&quot;');
  expect(svg).not.toContain('<script>');
});

test('a long name is cut, and whole in the tooltip', () => {
  const name = 'x'.repeat(80);
  const texts = textsOf(formatSvg(fakeGraph([fakeStep(name)])));
  expect(texts).toContain(`${'x'.repeat(43)}…`);
  expect(texts).toContain(`${name}\nuses fake`);
});

test('a step that is left out is dashed and says so', () => {
  const svg = formatSvg(fakeGraph([fakeStep('a', [], { isEnabled: false })]));
  expect(svg).toContain('class="step left-out"');
  expect(textsOf(svg)).toContain('uses fake · left out');
});

describe('with a run', () => {
  const graph = fakeGraph([fakeStep('a'), fakeStep('b', ['a.out'])]);
  const svg = formatSvg(graph, {
    title: 'run 1',
    steps: new Map([
      ['a', { end: 'succeeded', took: '1.2 s' }],
      ['b', { end: 'failed' }],
    ]),
  });

  test('each step tells how it ended and how long it took', () => {
    expect(textsOf(svg)).toContain('1.2 s ✓');
    expect(textsOf(svg)).toContain('a: succeeded in 1.2 s\nuses fake');
  });

  test('the legend has the ends that there are', () => {
    expect(textsOf(svg).slice(-2)).toEqual(['✓ succeeded', '✗ failed']);
  });

  test('colours are those of the style sheet, for light and dark', () => {
    expect(svg).toContain('<rect class="failed"');
    expect(svg).toContain('prefers-color-scheme:dark');
  });
});

test('steps that need each other through their matrix are drawn all the same', () => {
  const steps = [fakeStep('a@k=1'), fakeStep('b@k=1', ['a@k=1.out']), fakeStep('a@k=2', ['b@k=1.out'])];
  expect(textsOf(formatSvg(fakeGraph(steps)))).toContain('b.out → a');
});
