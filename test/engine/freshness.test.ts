/** The rows of the table of behaviour begin with "row:" here and in faults.test.ts. */
import { chmodSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { Rig } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

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

test('row: a source is touched, its content stays: nothing runs', async () => {
  await using rig = await createChain();
  await rig.run();
  await rig.write({ 'source.txt': 'one\ntwo\n' });
  expect((await rig.run()).ran).toEqual([]);
});

test('row: a source is changed, its size and mtime stay: it is seen', async () => {
  await using rig = await createChain();
  await rig.run();
  await rig.replaceSilently('source.txt', 'ten\ntwo\n');
  expect((await rig.run()).ran).toEqual(['a', 'b', 'c']);
  expect(await rig.read('out/c.txt')).toBe('TEN\nend\n');
});

test('row: early cutoff: a step that gives the same bytes again stops the rerun there', async () => {
  await using rig = await createChain();
  await rig.run();
  await rig.write({ 'source.txt': 'one\nthree\n' });
  const result = await rig.run();
  expect(result.ran).toEqual(['a', 'b']);
  expect(result.reused).toEqual(['c']);
});

test('row: an intermediate output is edited by hand: it is restored, and nothing of the edit spreads', async () => {
  await using rig = await createChain();
  await rig.run();
  await rig.write({ 'out/a.txt': 'by hand\n' });
  expect((await rig.run()).ran).toEqual([]);
  expect(await rig.read('out/a.txt')).toBe('ONE\nTWO\n');
  await rig.write({ 'out/b.txt': 'by hand\n' });
  expect((await rig.run('--set', 'word=fin')).ran).toEqual(['c']);
  expect(await rig.read('out/c.txt')).toBe('ONE\nfin\n');
});

test('row: a final output is edited by hand: it is restored', async () => {
  await using rig = await createChain();
  await rig.run();
  await rig.write({ 'out/c.txt': 'by hand\n' });
  expect((await rig.run()).ran).toEqual([]);
  expect(await rig.read('out/c.txt')).toBe('ONE\nend\n');
});

test('row: an output is edited, its size and mtime stay, then a later param changes: the edit is not consumed', async () => {
  await using rig = await createChain();
  await rig.run();
  await rig.replaceSilently('out/b.txt', 'EVL\n');
  const result = await rig.run('--set', 'word=fin');
  expect(result.ran).toEqual(['c']);
  expect(await rig.read('out/c.txt')).toBe('ONE\nfin\n');
  expect(await rig.read('out/b.txt')).toBe('ONE\n');
});

test('row: an intermediate output is deleted: it is restored without running anything', async () => {
  await using rig = await createChain();
  await rig.run();
  await rig.remove('out/b.txt');
  expect((await rig.run()).ran).toEqual([]);
  expect(await rig.read('out/b.txt')).toBe('ONE\n');
});

test('row: an input goes back to an earlier value: nothing runs', async () => {
  await using rig = await createChain();
  await rig.run();
  await rig.write({ 'source.txt': 'other\n' });
  await rig.run();
  await rig.write({ 'source.txt': 'one\ntwo\n' });
  expect((await rig.run()).ran).toEqual([]);
  expect(await rig.read('out/c.txt')).toBe('ONE\nend\n');
});

test('row: the text of one command is changed: its step runs, and those after it only when its output differs', async () => {
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

describe('outputs of any kind', () => {
  /** A folder with a program and a link to a file beside it. */
  const tool = `
name: tool
steps:
  make: { uses: command, with: { run: "mkdir -p made/bin; echo word > made/word.txt; ln -s word.txt made/latest.txt; printf '#!/bin/sh\\necho ran' > made/bin/tool; chmod +x made/bin/tool", outputs: { made: made } } }
  single: { uses: command, with: { run: "printf '#!/bin/sh\\necho ran' > tool; chmod +x tool", outputs: { tool: tool } } }
`;

  async function createTool(): Promise<Rig> {
    const rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': tool });
    await rig.run();
    return rig;
  }

  test.each(['made/bin/tool', 'tool'])('the executable bit of %s comes back', async (name) => {
    await using rig = await createTool();
    chmodSync(rig.path(name), 0o644);
    expect((await rig.run()).ran).toEqual([]);
    expect(statSync(rig.path(name)).mode & 0o777).toBe(0o755);
  });

  test('a file that was made executable by hand is as it was written again', async () => {
    await using rig = await createTool();
    chmodSync(rig.path('made/word.txt'), 0o755);
    expect((await rig.run()).ran).toEqual([]);
    expect(statSync(rig.path('made/word.txt')).mode & 0o777).toBe(0o644);
  });

  test('a link to a file is kept as the file that it names', async () => {
    await using rig = await createTool();
    await rig.remove('made');
    expect((await rig.run()).ran).toEqual([]);
    expect(readFileSync(rig.path('made/latest.txt'), 'utf8')).toBe('word\n');
  });

  test.each(['file in place of the folder', 'folder in place of the file'])(
    'a %s is replaced',
    async (what) => {
      await using rig = await createTool();
      if (what.startsWith('file')) {
        await rig.remove('made');
        await rig.write({ made: 'a file\n' });
      } else {
        await rig.remove('tool');
        await rig.write({ 'tool/file': 'in a folder\n' });
      }
      const { ran, exitCode } = await rig.run();
      expect([ran, exitCode, rig.has('made/bin/tool'), statSync(rig.path('tool')).isFile()]).toEqual([
        [],
        0,
        true,
        true,
      ]);
    },
  );

  test('a file that was added to an output folder goes', async () => {
    await using rig = await createTool();
    await rig.write({ 'made/extra.txt': 'extra\n' });
    expect((await rig.run()).ran).toEqual([]);
    expect(rig.has('made/extra.txt')).toBe(false);
  });
});

test('a step that reads the whole project does not read the store', async () => {
  await using rig = await Rig.create();
  await rig.write({
    'pipeline.yaml': 'name: p\nsteps:\n  a: { uses: command, with: { run: "true", reads: [., "./**"] } }\n',
  });
  expect((await rig.run()).exitCode).toBe(0);
  expect((await rig.run()).ran).toEqual([]);
});

describe('inputs that are links', () => {
  test.each(['data', 'data/*.csv', 'data/rows.csv', '**/*.csv'])(
    'read as %s: a change of the file that is linked is seen',
    async (reads) => {
      await using rig = await Rig.create();
      await rig.write({
        'far/rows.csv': 'one\n',
        'data/other.csv': 'other\n',
        'pipeline.yaml': `name: p\nsteps:\n  a: { uses: command, with: { run: "cat data/rows.csv > out.txt", reads: ["${reads}"], outputs: { text: out.txt } } }\n`,
      });
      symlinkSync('../far/rows.csv', rig.path('data/rows.csv'));
      await rig.run();
      await rig.write({ 'far/rows.csv': 'two\n' });
      expect((await rig.run()).ran).toEqual(['a']);
      expect(await rig.read('out.txt')).toBe('two\n');
    },
  );

  test('a folder that is linked is read, also when it leads back to itself', async () => {
    await using rig = await Rig.create();
    await rig.write({
      'far/rows.csv': 'one\n',
      'data/other.csv': 'other\n',
      'pipeline.yaml': `name: p\nsteps:\n  a: { uses: command, with: { run: "cat data/far/rows.csv > out.txt", reads: [data], outputs: { text: out.txt } } }\n`,
    });
    symlinkSync('../far', rig.path('data/far'));
    symlinkSync('.', rig.path('data/here'));
    expect((await rig.run()).exitCode).toBe(0);
    await rig.write({ 'far/rows.csv': 'two\n' });
    expect((await rig.run()).ran).toEqual(['a']);
    expect((await rig.run()).ran).toEqual([]);
  });
});
