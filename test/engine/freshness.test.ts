import { Rig } from '@joyul/testing';
import { expect, test } from 'vitest';

/** Three steps: a copies source.txt in upper case, b takes its first line, c adds a word. */
const chain = `
name: chain
params: { word: end }
steps:
  a: { uses: command, with: { run: "tr a-z A-Z < source.txt > out/a.txt", reads: [source.txt], outputs: { text: out/a.txt } } }
  b: { uses: command, with: { run: "head -n 1 $JOYUL_INPUT_0/file > out/b.txt", outputs: { text: out/b.txt } }, inputs: { inputs: a.text } }
  c: { uses: command, with: { run: "(cat $JOYUL_INPUT_0/file; echo \${{ params.word }}) > out/c.txt", outputs: { text: out/c.txt } }, inputs: { inputs: b.text } }
`;

async function createChain(): Promise<Rig> {
  const rig = await Rig.create();
  await rig.write({ 'pipeline.yaml': chain, 'source.txt': 'one\ntwo\n' });
  return rig;
}

test('a second run reuses everything', async () => {
  await using rig = await createChain();
  expect((await rig.run()).ran).toEqual(['a', 'b', 'c']);
  const again = await rig.run();
  expect(again.reused).toEqual(['a', 'b', 'c']);
  expect(again.exitCode).toBe(0);
});

test('touching a source without changing it runs nothing', async () => {
  await using rig = await createChain();
  await rig.run();
  await rig.write({ 'source.txt': 'one\ntwo\n' });
  expect((await rig.run()).ran).toEqual([]);
});

test('a change that keeps size and mtime is seen', async () => {
  await using rig = await createChain();
  await rig.run();
  await rig.replaceSilently('source.txt', 'ten\ntwo\n');
  expect((await rig.run()).ran).toEqual(['a', 'b', 'c']);
  expect(await rig.read('out/c.txt')).toBe('TEN\nend\n');
});

test('a step that gives the same bytes again stops the rerun there', async () => {
  await using rig = await createChain();
  await rig.run();
  await rig.write({ 'source.txt': 'one\nthree\n' });
  const result = await rig.run();
  expect(result.ran).toEqual(['a', 'b']);
  expect(result.reused).toEqual(['c']);
});

test('an output edited by hand is restored', async () => {
  await using rig = await createChain();
  await rig.run();
  await rig.write({ 'out/a.txt': 'by hand\n', 'out/c.txt': 'by hand\n' });
  expect((await rig.run()).ran).toEqual([]);
  expect(await rig.read('out/a.txt')).toBe('ONE\nTWO\n');
  expect(await rig.read('out/c.txt')).toBe('ONE\nend\n');
});

test('an output edited with size and mtime kept is not consumed', async () => {
  await using rig = await createChain();
  await rig.run();
  await rig.replaceSilently('out/b.txt', 'EVL\n');
  const result = await rig.run('--set', 'word=fin');
  expect(result.ran).toEqual(['c']);
  expect(await rig.read('out/c.txt')).toBe('ONE\nfin\n');
  expect(await rig.read('out/b.txt')).toBe('ONE\n');
});

test('a deleted output is restored without running anything', async () => {
  await using rig = await createChain();
  await rig.run();
  await rig.remove('out');
  expect((await rig.run()).ran).toEqual([]);
  expect(await rig.read('out/b.txt')).toBe('ONE\n');
});

test('an input that goes back to an earlier value runs nothing', async () => {
  await using rig = await createChain();
  await rig.run();
  await rig.write({ 'source.txt': 'other\n' });
  await rig.run();
  await rig.write({ 'source.txt': 'one\ntwo\n' });
  expect((await rig.run()).ran).toEqual([]);
  expect(await rig.read('out/c.txt')).toBe('ONE\nend\n');
});

test('changing the text of one command runs that step, and those after it only when its output differs', async () => {
  await using rig = await createChain();
  await rig.run();
  await rig.write({ 'pipeline.yaml': chain.replace('head -n 1 ', 'sed -n 1p ') });
  const result = await rig.run();
  expect(result.ran).toEqual(['b']);
  expect(result.reused).toEqual(['a', 'c']);
});

test('why names the field that changed', async () => {
  await using rig = await createChain();
  await rig.run();
  const { stdout } = await rig.joyul('why', 'c', 'pipeline.yaml', '--set', 'word=fin');
  expect(stdout).toContain('params.run changed: …');
});

test('a dry run writes nothing', async () => {
  await using rig = await createChain();
  expect((await rig.joyul('run', 'pipeline.yaml', '-n')).exitCode).toBe(0);
  expect(rig.has('.joyul')).toBe(false);
  expect(rig.has('out')).toBe(false);
});

test('a stored object that is damaged is a miss with a warning, and is repaired', async () => {
  await using rig = await createChain();
  await rig.run();
  const blobs = (await rig.joyul('show', '--json')).stdout;
  expect(blobs).toContain('"end": "succeeded"');
  const { globSync } = await import('node:fs');
  const { chmod, readFile, writeFile } = await import('node:fs/promises');
  for (const name of globSync('.joyul/blobs/*/*', { cwd: rig.dir })) {
    if ((await readFile(rig.path(name), 'utf8')) !== 'ONE\nend\n') continue;
    await chmod(rig.path(name), 0o644);
    await writeFile(rig.path(name), 'damaged!\n');
  }
  const result = await rig.run();
  expect(result.events.filter((event) => event.kind === 'warning')).toHaveLength(1);
  expect(result.ran).toEqual(['c']);
  expect((await rig.run()).ran).toEqual([]);
});
