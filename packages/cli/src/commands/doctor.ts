import { existsSync, statfsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import { loadBinding } from '@joyul/compute';
import { formatBytes } from '@joyul/core';
import { probeRegistries } from '@joyul/sources';
import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { findProject } from '../project.ts';
import { hasColor, makeStyle, padTo } from '../terminal/style.ts';
import { cacheDir } from '../user-folders.ts';

/** One thing that was looked at. `missing` costs something; `broken` stops runs. */
interface Finding {
  readonly name: string;
  readonly state: 'good' | 'missing' | 'broken';
  readonly text: string;
  /** What to type, or what to do. */
  readonly help?: string;
}

const oldestNode: readonly [number, number] = [24, 2];
/** What a first run with one small model needs: the library, the model, checkpoints. */
const neededDiskBytes = 3e9;

function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isGood = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
  return {
    name: 'Node',
    state: isGood ? 'good' : 'broken',
    text: `${process.version} on ${process.platform}-${process.arch}`,
    ...(isGood ? {} : { help: `Install Node ${oldestNode.join('.')} or later.` }),
  };
}

function checkMachine(): Finding {
  return {
    name: 'Machine',
    state: 'good',
    text: `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${formatBytes(freemem())} of ${formatBytes(totalmem())} memory free`,
  };
}

function checkTensorflow(): Finding {
  const name = 'TensorFlow';
  const binding = loadBinding();
  if (!binding.isLoaded)
    return {
      name,
      state: 'missing',
      text: `${binding.reason} Training uses WebAssembly, which is several times slower.`,
      help: binding.help,
    };
  return { name, state: 'good', text: `${binding.version}, from ${binding.file}` };
}

async function checkFolder(name: string, folder: string): Promise<Finding> {
  const probe = join(folder, `.doctor-${process.pid}`);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(probe, '');
    await rm(probe);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { name, state: 'broken', text: message, help: `Make ${folder} writable.` };
  }
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const isRoomy = free >= neededDiskBytes;
  return {
    name,
    state: isRoomy ? 'good' : 'missing',
    text: `${folder}, ${formatBytes(free)} free`,
    ...(isRoomy ? {} : { help: `A first run needs up to ${formatBytes(neededDiskBytes)}; make room.` }),
  };
}

async function checkRegistries(): Promise<readonly Finding[]> {
  return (await probeRegistries()).map(({ name, url, reason }) => ({
    name,
    state: reason === undefined ? 'good' : 'missing',
    text: reason === undefined ? `${url} answers` : `${url}: ${reason}`,
    ...(reason === undefined
      ? {}
      : { help: `Sources that begin with ${name}: cannot be fetched from here.` }),
  }));
}

/** `joyul doctor`. */
export const doctor: Command = {
  usage: `joyul doctor [flags]

Looks at this machine: what works, what is missing and what that costs, and which command mends it.
Leaves with 1 when runs cannot work here.

      --offline           do not ask the registries
      --json              findings as JSON on stdout`,
  async run(argv) {
    const args = parseArguments(argv, {
      json: { type: 'boolean' },
      offline: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    });
    const project = findProject(process.cwd());
    const store = join(project, '.joyul');
    const findings: readonly Finding[] = [
      checkNode(),
      checkMachine(),
      checkTensorflow(),
      await checkFolder('Cache', cacheDir()),
      // A folder that no run has made yet is not made by looking.
      await checkFolder('Project', existsSync(store) ? store : project),
      ...(args.has('offline') ? [] : await checkRegistries()),
    ];
    if (args.has('json')) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`);
    else {
      const style = makeStyle(hasColor(process.stdout));
      const marks = { good: style.green('✓'), missing: style.yellow('!'), broken: style.red('✗') };
      const width = Math.max(...findings.map((finding) => finding.name.length));
      for (const { name, state, text, help } of findings) {
        process.stdout.write(`${marks[state]} ${style.bold(padTo(name, width))}  ${text}\n`);
        if (help !== undefined) process.stdout.write(`  ${' '.repeat(width)}  help: ${help}\n`);
      }
    }
    return findings.some((finding) => finding.state === 'broken') ? exitCodes.stepFailed : exitCodes.done;
  },
};
