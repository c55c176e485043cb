/** Runs the commands of pages, one after the other, and compares what they print with the page. */
import { execFile } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Rig } from '@joyul/testing';
import { expect, test } from 'vitest';

/** What differs from run to run: ids, times, digests, and the widths of columns that follow from them. */
const normalize = (text: string): string =>
  text
    .replaceAll(/\d{8}-\d{9}-[0-9a-f]{6}/g, 'RUN')
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d/g, 'TIME')
    .replaceAll(/\d+\.\d s/g, 'SECONDS')
    .replaceAll(/\b[0-9a-f]{16,64}\b/g, 'DIGEST')
    .replaceAll(/← [0-9a-f]{6}\b/g, '← RUN')
    // How long each step took beside the others, and where the report is.
    .replaceAll(/^ {2}(?:.*━.*|\w+ +reused|report: .*)\n?/gm, '')
    .replaceAll(/ {2,}/g, '  ')
    .trim();

/** Runs a line as a shell would; gives what it printed. */
const shell = (line: string, rig: Rig): Promise<string> =>
  new Promise((resolve) => {
    const env = {
      ...process.env,
      PATH: `${rig.path('bin')}${delimiter}${process.env['PATH'] ?? ''}`,
      CI: '1',
      NO_COLOR: '1',
    };
    // A command that tells of differences leaves with 1: only what it prints counts.
    execFile('sh', ['-c', `{ ${line}; } 2>&1`], { cwd: rig.dir, env }, (_error, stdout) => {
      resolve(stdout);
    });
  });

test.skipIf(process.platform === 'win32').each([
  ['explain', 9],
  ['running', 6],
])('docs/%s.md shows what the commands print', async (name, least) => {
  const page = readFileSync(join(import.meta.dirname, '..', 'docs', `${name}.md`), 'utf8');
  await using rig = await Rig.create();
  const pipeline = /```yaml\n(.*?)```/s.exec(page)?.[1] ?? '';
  const cli = fileURLToPath(import.meta.resolve('@joyul/cli'));
  await rig.write({
    'pipeline.yaml': pipeline,
    'corpus.txt': 'The quick brown fox\n',
    'bin/joyul': `#!/bin/sh\nexec '${process.execPath}' '${cli}' "$@"\n`,
  });
  chmodSync(rig.path('bin/joyul'), 0o755);
  const blocks = [...page.matchAll(/```console\n(.*?)```/gs)].map((match) => match[1] ?? '');
  expect(blocks.length).toBeGreaterThanOrEqual(least);
  for (const block of blocks) {
    const commands = block.split('\n').filter((line) => line.startsWith('$ '));
    const expected = block.split('\n').filter((line) => !line.startsWith('$ '));
    let printed = '';
    for (const command of commands) printed = await shell(command.slice(2), rig);
    expect({ commands, printed: normalize(printed) }).toEqual({
      commands,
      printed: normalize(expected.join('\n')),
    });
  }
});
