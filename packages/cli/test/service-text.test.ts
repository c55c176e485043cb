import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addToCrontab, formatCrontabLine, formatUnit, nameService } from '../src/service-text.ts';

const strange = `/srv/it's 100% "big" $HOME \\n`;
const facts = { projectDir: strange, node: '/usr/bin/node', main: `${strange}/main.js`, path: '/a b:/c' };

test('a unit quotes what systemd would read otherwise', () => {
  const unit = formatUnit(facts);
  expect(unit).toContain(
    String.raw`ExecStart=:"/usr/bin/node" "/srv/it's 100%% \"big\" $HOME \\n/main.js" "schedule" "start" "--wait"`,
  );
  expect(unit).toContain(String.raw`WorkingDirectory=/srv/it's 100%% "big" $HOME \n`);
  expect(unit).toContain('Environment="PATH=/a b:/c"');
  expect(unit).toContain('KillMode=process');
});

const hasVerify = spawnSync('systemd-analyze', ['--version']).status === 0;

test.skipIf(!hasVerify)('systemd finds the program of a unit with strange paths, and nothing wrong', () => {
  const dir = mkdtempSync(join(tmpdir(), `joyul unit 100% $x '`));
  const file = join(dir, 'joyul-x.service');
  const verify = (node: string): { readonly code: number | null; readonly text: string } => {
    writeFileSync(file, formatUnit({ ...facts, projectDir: dir, node, main: join(dir, 'main "x".js') }));
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--user', file], {
      encoding: 'utf8',
      env: { ...process.env, XDG_RUNTIME_DIR: dir },
    });
    return { code: status, text: `${stdout}${stderr}` };
  };
  try {
    const node = join(dir, 'the node');
    writeFileSync(node, '#!/bin/sh\n', { mode: 0o755 });
    expect(verify(node)).toEqual({ code: 0, text: '' });
    expect(verify('/no where/100%/node').text).toContain('/no where/100%/node is not executable');
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('the shell that cron starts sees the words as they are', () => {
  const dir = mkdtempSync(join(tmpdir(), `joyul cron 100% $x '`));
  try {
    mkdirSync(join(dir, 'schedules', '.state'), { recursive: true });
    const node = join(dir, 'the node');
    writeFileSync(node, '#!/bin/sh\npwd\nprintf "%s\\n" "$@" "$PATH"\n', { mode: 0o755 });
    const main = join(dir, 'main "x".js');
    const line = formatCrontabLine({ projectDir: dir, node, main, path: '/usr/bin:/bin:/a b' });
    // What cron does before it hands the line to the shell: a bare percent sign would end it.
    const command = line.replace('*/5 * * * * ', '');
    expect(command.replaceAll('\\%', '')).not.toContain('%');
    spawnSync('/bin/sh', ['-c', command.replaceAll('\\%', '%')]);
    expect(readFileSync(join(dir, 'schedules', '.state', 'scheduler.log'), 'utf8').split('\n')).toEqual([
      dir,
      main,
      'schedule',
      'start',
      '--if-none',
      '/usr/bin:/bin:/a b',
      '',
    ]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('a crontab keeps its other lines, and has one line of a project', () => {
  const line = formatCrontabLine({ ...facts, projectDir: '/srv/a' });
  const other = formatCrontabLine({ ...facts, projectDir: '/srv/b' });
  const crontab = addToCrontab('MAILTO=me\n0 0 * * * backup\n', line, '/srv/a');
  expect(crontab).toBe(`MAILTO=me\n0 0 * * * backup\n${line}\n`);
  expect(addToCrontab(addToCrontab(crontab, other, '/srv/b'), line, '/srv/a')).toBe(
    `MAILTO=me\n0 0 * * * backup\n${other}\n${line}\n`,
  );
  expect(addToCrontab('', line, '/srv/a')).toBe(`${line}\n`);
});

test('two projects with one name have services of their own', () => {
  expect(nameService('/a/intents')).toMatch(/^joyul-intents-[0-9a-f]{8}$/);
  expect(nameService('/a/intents')).not.toBe(nameService('/b/intents'));
  expect(nameService('/a/조율')).toMatch(/^joyul-project-/);
});
