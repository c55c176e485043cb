/** How each peer is given a workload: as its manual says, with everything that only costs time switched off. */
import { spawnSync } from 'node:child_process';
import { chmodSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { CommandLine } from '../shared/measure.ts';
import { peerPackages } from './peers.ts';
import type { PeerName } from './peers.ts';
import { writeFiles } from './tool.ts';
import type { Tool, ToolSettings } from './tool.ts';
import { ranLog } from './workloads.ts';
import type { Step, Workload } from './workloads.ts';

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 1)}\n`;
const inputsOf = (step: Step): readonly string[] => (step.source === undefined ? [] : [step.source]);

/** The step that all others lead to, by which a tool is asked for the whole workload. */
const lastOf = ({ steps }: Workload): string => steps.at(-1)?.id ?? '';

/** A package.json whose scripts are the steps. */
function makeManifest({ steps }: Workload, scriptOf: (step: Step) => string): Record<string, unknown> {
  return {
    name: 'bench',
    version: '1.0.0',
    private: true,
    packageManager: 'npm@11.0.0',
    scripts: Object.fromEntries(steps.map((step) => [step.id, scriptOf(step)])),
  };
}

const ignoreFile = ['node_modules', 'out', '.turbo', '.wireit', 'npm', 'commands', ranLog].join('\n');

/** Lets a project use the packages of a peer. */
function linkPackages(project: string, folder: string): void {
  symlinkSync(join(folder, 'node_modules'), join(project, 'node_modules'), 'dir');
}

/** Commits a project, which is how Turbo likes to find it: it then takes digests from git. */
function commitAll(project: string): void {
  const identity = ['-c', 'user.name=bench', '-c', 'user.email=bench@localhost'];
  for (const args of [
    ['init', '--quiet'],
    ['add', '--all'],
    [...identity, 'commit', '--quiet', '-m', 'bench'],
  ])
    if (spawnSync('git', args, { cwd: project, stdio: 'ignore' }).status !== 0)
      throw new Error('git could not commit the project');
}

/**
 * Turbo starts npm for every step, which takes minutes at a thousand steps and is npm's time.
 * Where a fresh run only fills the cache, this stands in for npm and starts the command itself.
 */
function writeNpmStandIn(project: string, { steps }: Workload): void {
  writeFiles(project, [
    ['npm/npm', '#!/bin/sh\nexec sh "commands/$2"\n'],
    ...steps.map(({ id, command }) => [`commands/${id}`, `${command}\n`] as const),
  ]);
  chmodSync(join(project, 'npm', 'npm'), 0o755);
}

function makeTurbo(settings: ToolSettings, folder: string, isInGit: boolean): Tool {
  const command = (workload: Workload): CommandLine => ({
    argv: [
      process.execPath,
      join(folder, 'node_modules', 'turbo', 'bin', 'turbo'),
      'run',
      lastOf(workload),
      '--output-logs=errors-only',
      `--concurrency=${settings.jobs}`,
    ],
    env: { ...settings.env, TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1' },
  });
  const limit = settings.isQuick ? 9 : 101;
  return {
    name: isInGit ? 'turbo+git' : 'turbo',
    isRunner: true,
    skip: ({ steps }, kind) => {
      if (steps.length > 1001) return 'too slow at this size';
      if (kind !== 'fresh') return undefined;
      if (isInGit) return 'as turbo';
      return steps.length > limit ? 'it starts npm for every step, which is slow' : undefined;
    },
    write: (project, workload) => {
      const tasks = workload.steps.map((step) => [
        step.id,
        { dependsOn: step.needs, inputs: inputsOf(step), outputs: [step.output] },
      ]);
      writeFiles(project, [
        ['package.json', json(makeManifest(workload, (step) => step.command))],
        ['turbo.json', json({ tasks: Object.fromEntries(tasks) })],
        ['.gitignore', ignoreFile],
      ]);
      writeNpmStandIn(project, workload);
      linkPackages(project, folder);
      if (isInGit) commitAll(project);
    },
    command: (_project, workload) => command(workload),
    primer: (project, workload) => {
      const { argv, env } = command(workload);
      return {
        argv,
        env: { ...env, PATH: `${join(project, 'npm')}${delimiter}${env['PATH'] ?? ''}` },
      };
    },
  };
}

function makeWireit({ env, jobs, isQuick }: ToolSettings, folder: string): Tool {
  const limit = isQuick ? 9 : 1001;
  return {
    name: 'wireit',
    isRunner: true,
    skip: ({ steps }) => (steps.length > limit ? 'too slow at this size' : undefined),
    write: (project, workload) => {
      const wireit = workload.steps.map((step) => [
        step.id,
        { command: step.command, dependencies: step.needs, files: inputsOf(step), output: [step.output] },
      ]);
      const manifest = makeManifest(workload, () => 'wireit');
      writeFiles(project, [['package.json', json({ ...manifest, wireit: Object.fromEntries(wireit) })]]);
      linkPackages(project, folder);
    },
    command: (_project, workload) => ({
      argv: ['npm', 'run', '--silent', lastOf(workload)],
      env: {
        ...env,
        WIREIT_PARALLEL: String(jobs),
        WIREIT_LOGGER: 'quiet',
        npm_config_update_notifier: 'false',
      },
    }),
  };
}

function makeNinja({ env, jobs }: ToolSettings, folder: string): Tool {
  return {
    name: 'ninja',
    isRunner: true,
    skip: (_workload, kind) => (kind === 'restore' ? 'it has no cache' : undefined),
    write: (project, workload) => {
      const lines = ['rule run', '  command = $text'];
      for (const step of workload.steps) {
        lines.push(`build ${step.output}: run ${step.reads.join(' ')}`, `  text = ${step.command}`);
      }
      writeFiles(project, [['build.ninja', `${lines.join('\n')}\n`]]);
    },
    command: () => ({ argv: [join(folder, 'bin', 'ninja'), '--quiet', '-j', String(jobs)], env }),
  };
}

function makeDvc({ env }: ToolSettings, folder: string): Tool {
  return {
    name: 'dvc',
    isRunner: true,
    skip: ({ steps }) => (steps.length > 9 ? 'too slow at this size' : undefined),
    write: (project, workload) => {
      const stages = workload.steps.map((step) => [
        step.id,
        {
          cmd: step.command,
          deps: step.reads,
          outs: [step.output],
        },
      ]);
      const config = `[core]\n    no_scm = True\n    analytics = false\n    check_update = false\n    site_cache_dir = ${join(project, '.dvc', 'site')}\n`;
      writeFiles(project, [
        // JSON is YAML.
        ['dvc.yaml', json({ stages: Object.fromEntries(stages) })],
        ['.dvc/config', config],
      ]);
    },
    command: () => ({ argv: [join(folder, 'bin', 'dvc'), 'repro', '--quiet'], env }),
  };
}

/** The peers that could be installed. */
export function makePeerTools(settings: ToolSettings): readonly Tool[] {
  const makers: Readonly<Record<PeerName, (folder: string) => readonly Tool[]>> = {
    turbo: (folder) => [makeTurbo(settings, folder, false), makeTurbo(settings, folder, true)],
    wireit: (folder) => [makeWireit(settings, folder)],
    ninja: (folder) => [makeNinja(settings, folder)],
    dvc: (folder) => [makeDvc(settings, folder)],
  };
  return peerPackages.flatMap(({ name }) => {
    const peer = settings.peers.get(name);
    return peer !== undefined && 'folder' in peer ? makers[name](peer.folder) : [];
  });
}
