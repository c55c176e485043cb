/** Texts of a service that keeps a project's scheduler running, each quoted as its reader needs it. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';

/** What the service runs. */
export interface ServiceFacts {
  /** Absolute. */
  readonly projectDir: string;
  /** Absolute path of Node. */
  readonly node: string;
  /** Absolute path of the command's main file. */
  readonly main: string;
  /** Where programs that steps call are found. */
  readonly path: string;
}

/** A name that is the project's alone on this machine, and plain enough for a file. */
export function nameService(projectDir: string): string {
  const plain = basename(projectDir)
    .replaceAll(/[^A-Za-z0-9_-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  const digest = createHash('sha256').update(projectDir).digest('hex').slice(0, 8);
  return `joyul-${plain === '' ? 'project' : plain}-${digest}`;
}

/** A word of a unit file: in quotes, and with the signs doubled by which systemd inserts values. */
const quoteUnit = (text: string): string =>
  `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')}"`;

/** A user unit of systemd. */
export function formatUnit({ projectDir, node, main, path }: ServiceFacts): string {
  // systemd takes no program with a quote in its path; env starts it then.
  const starter = /['"\\]/.test(node) ? ['/usr/bin/env'] : [];
  // A colon before the program: no word is a variable, so that a dollar sign stays one.
  const words = [...starter, node, main, 'schedule', 'start', '--wait'].map(quoteUnit);
  return `[Unit]
Description=Joyul schedules of ${projectDir.replaceAll('%', '%%')}

[Service]
WorkingDirectory=${projectDir.replaceAll('%', '%%')}
ExecStart=:${words.join(' ')}
Environment=${quoteUnit(`PATH=${path}`)}
Restart=on-failure
RestartSec=5
# Runs go on when the scheduler is stopped or restarted; the next one takes them up again.
KillMode=process

[Install]
WantedBy=default.target
`;
}

/** A word of a shell's line in a crontab, where a percent sign would end the line. */
const quoteShell = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`.replaceAll('%', '\\%');

/** The end of the line by which it is found again. */
export const markOf = (projectDir: string): string => `# ${nameService(projectDir)}`;

/** A line of a crontab: every five minutes it starts the scheduler, unless one runs. */
export function formatCrontabLine(facts: ServiceFacts): string {
  const { projectDir, node, main, path } = facts;
  const start = [node, main, 'schedule', 'start', '--if-none'].map(quoteShell).join(' ');
  const log = quoteShell(`${projectDir}/schedules/.state/scheduler.log`);
  return `*/5 * * * * cd ${quoteShell(projectDir)} && PATH=${quoteShell(path)} ${start} >> ${log} 2>&1 ${markOf(projectDir)}`;
}

/** A crontab with a project's line in it, in the place of an older one. */
export function addToCrontab(crontab: string, line: string, projectDir: string): string {
  const mark = markOf(projectDir);
  const others = crontab.split('\n').filter((other) => other !== '' && !other.endsWith(mark));
  return `${[...others, line].join('\n')}\n`;
}
