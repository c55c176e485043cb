import { expect, test } from 'vitest';
import { explain, load, withSteps } from '../language/support.ts';

const check = async (
  steps: string,
  files: Readonly<Record<string, string>> = {},
  more = '',
): Promise<string> => explain({ 'p.yaml': withSteps(steps, more), ...files }, { needsFiles: true });

test('every file that is not there is told where its path stands', async () => {
  const steps = `
  a: { uses: prepare, with: { source: data/tickets.csv } }
  b: { uses: copy, with: { reads: [there.txt, gone.txt, "\${{ params.dir }}/x"] } }
`;
  expect(await check(steps, { 'there.txt': '', 'data/ticket.csv': '' }, 'params: { dir: out }\n')).toBe(`
p.yaml:5:39 error FILE_MISSING  The step "a" reads data/tickets.csv, which does not exist in the project.
    5 |   a: { uses: prepare, with: { source: data/tickets.csv } }
      |                                       ^^^^^^^^^^^^^^^^
  help: Did you mean "data/ticket.csv"?

p.yaml:6:47 error FILE_MISSING  The step "b" reads gone.txt, which does not exist in the project.
    6 |   b: { uses: copy, with: { reads: [there.txt, gone.txt, "\${{ params.dir }}/x"] } }
      |                                               ^^^^^^^^
  help: Correct the path, which is relative to the project, or make the file.

p.yaml:6:57 error FILE_MISSING  The step "b" reads out/x, which does not exist in the project.
    6 |   b: { uses: copy, with: { reads: [there.txt, gone.txt, "\${{ params.dir }}/x"] } }
      |                                                         ^^^^^^^^^^^^^^^^^^^^^
  help: Correct the path, which is relative to the project, or make the file.
`);
});

test('a file that a step before it writes may be missing, one in a folder that it writes too', async () => {
  const steps = `
  w: { uses: copy, with: { outputs: [o], writes: { o: out } } }
  m: { uses: copy, with: { outputs: [o] }, inputs: { files: w.o } }
  r: { uses: copy, with: { reads: [out/a.txt, out, "out/*.txt"] }, inputs: { files: m.o } }
`;
  expect(await check(steps)).toBe('\n\n');
});

test('a file that another step writes at any time is told how to wait for it', async () => {
  const steps = `
  w: { uses: copy, with: { outputs: [o], writes: { o: out/a.txt } } }
  r: { uses: copy, with: { reads: [out/a.txt] } }
`;
  expect(await check(steps)).toBe(`
p.yaml:5:36 error FILE_MISSING  The step "r" reads out/a.txt, which does not exist in the project.
    5 |   r: { uses: copy, with: { reads: [out/a.txt] } }
      |                                    ^^^^^^^^^
  help: The step "w" writes it: wire \`w.o\` to an input, so that it comes first.
`);
});

test('a path from the root is told as it is written from the project', async () => {
  const told = await check(`  a: { uses: prepare, with: { source: ${import.meta.filename} } }\n`);
  expect(told).toMatch(
    /help: Paths are relative to the project: write "(?:\.\.\/)+.*packages\/core\/test\/plan\/missing-files\.test\.ts"\./,
  );
});

test('a pattern that finds nothing is a warning', async () => {
  const steps = '  a: { uses: copy, with: { reads: ["data/*.csv"] } }\n';
  expect(await check(steps)).toContain(
    'p.yaml:3:36 warning FILE_MISSING  The step "a" reads data/*.csv, and no file of the project matches it.',
  );
  expect(await check(steps, { 'data/a.csv': '' })).toBe('\n\n');
});

test('a step that is left out needs no files', async () => {
  expect(await check('  a: { uses: prepare, if: false, with: { source: gone.csv } }\n')).toBe('\n\n');
});

test('in a pipeline that is used, the place is in its file, once for all instances', async () => {
  const told = await load(
    {
      'p.yaml': withSteps('  q: { uses: lib/q.yaml, matrix: { x: [1, 2] } }\n'),
      'lib/q.yaml': withSteps('  a: { uses: prepare, with: { source: gone.csv } }\n'),
    },
    { needsFiles: true },
  );
  expect(told.diagnostics.map(({ message, range }) => [message, range?.source.file])).toEqual([
    ['The step "q/a" reads gone.csv, which does not exist in the project.', 'lib/q.yaml'],
  ]);
});
