import { spawnSync } from 'node:child_process';
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { StateFiles } from '@joyul/core/schedule';
import { parseArguments } from '../args.ts';
import type { Arguments } from '../args.ts';
import { exitCodes } from '../exit-codes.ts';
import { findProject } from '../project.ts';
import type { ServiceFacts } from '../service-text.ts';
import { addToCrontab, formatCrontabLine, formatUnit, nameService } from '../service-text.ts';
import { programFile } from '../program-files.ts';
import { UsageError } from '../usage-error.ts';

const flags = {
  systemd: { type: 'boolean' },
  crontab: { type: 'boolean' },
  write: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

function readFacts(): ServiceFacts {
  const facts = {
    projectDir: realpathSync(findProject(process.cwd())),
    node: process.execPath,
    main: realpathSync(programFile('main')),
    path: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
  };
  for (const value of Object.values(facts))
    if (/[\n\r]/.test(value))
      throw new UsageError(`A service cannot name a path with a line break: ${JSON.stringify(value)}.`);
  return facts;
}

/** What is installed, and where. */
interface Installed {
  readonly text: string;
  /** Absent for a crontab, which only `crontab` writes. */
  readonly file?: string;
  /** What to type next. */
  readonly commands: readonly string[];
}

function makeUnit(facts: ServiceFacts): Installed {
  const configDir = process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config');
  const name = `${nameService(facts.projectDir)}.service`;
  return {
    text: formatUnit(facts),
    file: join(configDir, 'systemd', 'user', name),
    commands: [
      'systemctl --user daemon-reload',
      `systemctl --user enable --now ${name}`,
      'loginctl enable-linger   # so that it runs while you are not logged in',
    ],
  };
}

function writeCrontab(line: string, projectDir: string): void {
  const listed = spawnSync('crontab', ['-l'], { encoding: 'utf8' });
  if (listed.error !== undefined)
    throw new UsageError(
      `The program \`crontab\` does not start (${listed.error.message}). Install cron, or use --systemd.`,
    );
  // A user without a crontab is told so with a failure; after any other failure, writing would lose what is there.
  if (listed.status !== 0 && !/no crontab|no such file/i.test(listed.stderr))
    throw new UsageError(`\`crontab -l\` failed, so nothing was changed: ${listed.stderr.trim()}`);
  const before = listed.status === 0 ? listed.stdout : '';
  const written = spawnSync('crontab', ['-'], {
    input: addToCrontab(before, line, projectDir),
    encoding: 'utf8',
  });
  if (written.status !== 0) throw new UsageError(`\`crontab\` refused the line: ${written.stderr.trim()}`);
}

function write(installed: Installed, projectDir: string): void {
  // The log of the crontab line lies there.
  new StateFiles(projectDir).create();
  if (installed.file === undefined) {
    writeCrontab(installed.text.trimEnd(), projectDir);
    return;
  }
  mkdirSync(dirname(installed.file), { recursive: true });
  writeFileSync(installed.file, installed.text);
}

function print(args: Arguments, installed: Installed, isWritten: boolean): void {
  const { text, file, commands } = installed;
  if (args.has('json')) {
    process.stdout.write(`${JSON.stringify({ text, file: file ?? null, isWritten, commands }, null, 2)}\n`);
    return;
  }
  if (!isWritten) process.stdout.write(text);
  const place = file ?? 'your crontab';
  const list = commands.map((command) => `\n  ${command}`).join('');
  process.stderr.write(
    isWritten
      ? `It is written to ${place}.${commands.length === 0 ? '' : ` Then:${list}`}\n`
      : `\nThis belongs into ${place}; --write puts it there.${commands.length === 0 ? '' : ` Then:${list}`}\n`,
  );
}

/** `joyul schedule install`. */
export function installScheduler(argv: readonly string[]): Promise<number> {
  const args = parseArguments(argv, flags);
  if (args.has('systemd') === args.has('crontab'))
    throw new UsageError('Say what keeps the scheduler running: --systemd or --crontab.');
  const facts = readFacts();
  const installed = args.has('systemd')
    ? makeUnit(facts)
    : { text: `${formatCrontabLine(facts)}\n`, commands: [] };
  if (args.has('write')) write(installed, facts.projectDir);
  print(args, installed, args.has('write'));
  return Promise.resolve(exitCodes.done);
}
