/** `npm run bench:engine`: what the engine costs beside other orchestrators, and beside the least there is. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { delimiter, dirname, join, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { Meter, findPython } from '../shared/measure.ts';
import { installPeers, peerPackages } from './peers.ts';
import type { Peer, PeerName } from './peers.ts';
import { runWorkload } from './run-workload.ts';
import type { WorkloadOptions, WorkloadResult } from './run-workload.ts';
import { formatTargets, formatWorkload } from './table.ts';
import { judge } from './targets.ts';
import { makeTools } from './tools.ts';
import { workloads } from './workloads.ts';

const root = join(import.meta.dirname, '..', '..');
/** What `joyul` starts once it is installed from npm. */
const builtMain = join(root, 'packages', 'cli', 'dist', 'main.cjs');
const sourceMain = join(root, 'packages', 'cli', 'src', 'main.ts');
/** Peers and compiled code are kept here between runs. */
const cache = join(root, '.cache', 'bench-engine');

const usage = `npm run bench:engine -- [--quick] [--only NAMES] [--json FILE] [--source]

  --quick        fewer repeats, and only what takes less than two minutes
  --only NAMES   only these, with commas between: ${[...workloads.keys()].join(', ')}
  --json FILE    write every sample there as well
  --source       measure the sources as they are instead of a build`;

const quickWorkloads = ['nine', 'wide-1000', 'chain-100'];

/** Ends with a word on how the command is used. */
function refuse(message: string): never {
  console.error(`${message}\n\n${usage}`);
  process.exit(2);
}

function readOptions(): {
  readonly isQuick: boolean;
  readonly names: readonly string[];
  readonly jsonFile: string | undefined;
  readonly isSource: boolean;
} {
  const flags = {
    quick: { type: 'boolean' },
    only: { type: 'string' },
    json: { type: 'string' },
    source: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  const parse = (): ReturnType<typeof parseArgs<{ options: typeof flags }>> => {
    try {
      return parseArgs({ options: flags });
    } catch (error) {
      return refuse(error instanceof Error ? error.message : String(error));
    }
  };
  const { values } = parse();
  if (values.help === true) {
    console.log(usage);
    process.exit(0);
  }
  const isQuick = values.quick === true;
  const names = values.only?.split(',') ?? (isQuick ? quickWorkloads : [...workloads.keys()]);
  const unknown = names.find((name) => !workloads.has(name));
  if (unknown !== undefined) refuse(`There is no workload "${unknown}".`);
  return { isQuick, names, jsonFile: values.json, isSource: values.source === true };
}

/**
 * The environment of everything that is timed: no more than is needed, since much else costs time or changes what a
 * tool does. NODE_EXTRA_CA_CERTS alone takes each Node some 45 ms, and npm tells its children that it started them.
 */
function makeEnvironment(home: string): Readonly<Record<string, string>> {
  const isOwn = (folder: string): boolean => !folder.split(sep).includes('node_modules');
  const path = (process.env['PATH'] ?? '').split(delimiter).filter(isOwn);
  return {
    PATH: [dirname(process.execPath), ...path].join(delimiter),
    HOME: home,
    TMPDIR: tmpdir(),
    LC_ALL: 'C.UTF-8',
  };
}

function build(): void {
  console.error('Building …');
  const { status } = spawnSync(process.execPath, [join(root, 'packages', 'tooling', 'src', 'build.ts')], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0 || !existsSync(builtMain)) {
    console.error(`The build left no ${builtMain}; --source measures the sources instead.`);
    process.exit(1);
  }
}

function makeOptions(meter: Meter, folder: string, isQuick: boolean, signal: AbortSignal): WorkloadOptions {
  const again = isQuick ? { least: 2, most: 5, budgetMs: 2000 } : { least: 2, most: 9, budgetMs: 5000 };
  const fresh = isQuick ? { least: 1, most: 2, budgetMs: 3000 } : { least: 1, most: 3, budgetMs: 8000 };
  return {
    meter,
    folder,
    repeats: { fresh, noop: again, leaf: again, restore: again },
    limitS: isQuick ? 60 : 240,
    deadlineMs: performance.now() + (isQuick ? 80_000 : 12 * 60_000),
    signal,
  };
}

/** Says which machine and versions the figures are of, and which peers are missing. */
function describe(peers: ReadonlyMap<PeerName, Peer>, jobs: number, main: string): string {
  const versions = peerPackages.map(({ name, version }) => `${name} ${version}`).join(', ');
  const lines = [
    `joyul ${main.slice(root.length + 1)}, Node ${process.version}; ${versions}`,
    `${jobs} jobs in flight; ${cpus()[0]?.model.trim() ?? 'unknown processor'} x ${cpus().length}; load ${loadavg()
      .map((value) => value.toFixed(1))
      .join(' ')}`,
  ];
  for (const [name, peer] of peers)
    if ('problem' in peer) lines.push(`${name} is left out: it could not be installed (${peer.problem})`);
  return `${lines.join('\n')}\n`;
}

/** Measures and prints all workloads. */
async function measureAll(
  names: readonly string[],
  tools: ReturnType<typeof makeTools>,
  options: WorkloadOptions,
): Promise<readonly WorkloadResult[]> {
  const results: WorkloadResult[] = [];
  // Once without a figure, so that compiled code is cached and files are in memory.
  const nine = workloads.get('nine');
  if (nine !== undefined) await runWorkload(nine(), tools.slice(0, 3), options);
  for (const name of names) {
    const make = workloads.get(name);
    if (make === undefined) continue;
    if (performance.now() > options.deadlineMs) {
      console.log(`${name} is left out: the time is up; --only ${name} measures it alone\n`);
      continue;
    }
    const startMs = performance.now();
    console.error(`${name} …`);
    const result = await runWorkload(make(), tools, options);
    results.push(result);
    console.log(formatWorkload(result));
    console.error(`  (${((performance.now() - startMs) / 1000).toFixed(0)} s)`);
  }
  return results;
}

async function main(): Promise<number> {
  const { isQuick, names, jsonFile, isSource } = readOptions();
  const python = findPython();
  if (python === undefined) refuse('The bench measures with Python 3.9 or later, and found none.');
  if (!isSource) build();
  mkdirSync(cache, { recursive: true });
  const peers = await installPeers(cache, python);
  const folder = mkdtempSync(join(tmpdir(), 'joyul-bench-'));
  const meter = new Meter(python, join(folder, 'log'));
  const controller = new AbortController();
  const interrupt = (): void => {
    controller.abort(new Error('interrupted'));
    console.error('Cleaning up …');
    void meter.close();
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    mkdirSync(join(folder, 'home'));
    const jobs = availableParallelism();
    const joyul = isSource ? sourceMain : builtMain;
    const env = makeEnvironment(join(folder, 'home'));
    const tools = makeTools({ joyul, joyulCache: join(cache, 'joyul'), peers, env, jobs, isQuick });
    console.log(describe(peers, jobs, joyul));
    const results = await measureAll(names, tools, makeOptions(meter, folder, isQuick, controller.signal));
    const targets = judge(results);
    console.log(formatTargets(targets));
    if (jsonFile !== undefined)
      writeFileSync(
        jsonFile,
        `${JSON.stringify({ node: process.version, jobs, peers: peerPackages, results, targets }, undefined, 1)}\n`,
      );
    return results.some(({ cells }) => cells.some((cell) => cell.error !== undefined)) ? 1 : 0;
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    console.error('Interrupted.');
    return 130;
  } finally {
    await meter.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = await main();
