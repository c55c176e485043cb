/** The checks of `npm test`, each by name. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBoundaryProblems } from './boundaries.ts';
import type { TestReport } from './line-reporter.ts';
import { findShapeProblems } from './shape.ts';
import { readPackages, readSources } from './source-files.ts';

/** How one check ended. */
export interface CheckResult {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What it found, shown when it failed. */
  readonly output: string;
}

/** One check of the repository. */
export interface Check {
  readonly name: string;
  /** Shows its own progress, so it runs alone. */
  readonly isTest?: true;
  run(root: string): Promise<CheckResult>;
}

const result = (isGood: boolean, output: string): CheckResult => ({
  passed: isGood ? 1 : 0,
  failed: isGood ? 0 : 1,
  skipped: 0,
  output,
});

/** Runs a tool of node_modules/.bin and keeps what it says; `stream` shows it at once instead. */
async function runTool(
  root: string,
  command: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly stream?: boolean } = {},
): Promise<{ readonly code: number; readonly output: string }> {
  const [name = '', ...args] = command;
  // On Windows the tools are .cmd files, which only a shell starts.
  const child = spawn(name, args, {
    cwd: root,
    shell: process.platform === 'win32',
    stdio: [
      'ignore',
      options.stream === true ? 'inherit' : 'pipe',
      options.stream === true ? 'inherit' : 'pipe',
    ],
    env: { ...process.env, ...options.env },
  });
  const parts: Buffer[] = [];
  child.stdout?.on('data', (data: Buffer) => parts.push(data));
  child.stderr?.on('data', (data: Buffer) => parts.push(data));
  return new Promise((resolve) => {
    child.on('error', (error) => {
      resolve({ code: 1, output: `${name} does not start: ${error.message}` });
    });
    child.on('close', (code) => {
      resolve({ code: code ?? 1, output: Buffer.concat(parts).toString() });
    });
  });
}

/** A check that a tool does: it passes when the tool leaves with 0. */
function toolCheck(name: string, command: readonly string[]): Check {
  return {
    name,
    async run(root) {
      const { code, output } = await runTool(root, command);
      return result(code === 0, output);
    },
  };
}

/** A check that finds problems in the parsed sources. */
function sourceCheck(name: string, find: (root: string) => readonly string[]): Check {
  return {
    name,
    async run(root) {
      const problems = find(root);
      return result(problems.length === 0, problems.join('\n'));
    },
  };
}

/** Runs the tests of one vitest project; each test counts. */
function testCheck(name: string, options: { readonly isSlow: boolean }): Check {
  return {
    name,
    isTest: true,
    async run(root) {
      const folder = mkdtempSync(join(tmpdir(), 'joyul-check-'));
      const report = join(folder, 'report.json');
      try {
        const { code } = await runTool(
          root,
          ['vitest', 'run', '--config', 'packages/tooling/vitest.config.ts', '--project', name],
          {
            stream: true,
            env: { JOYUL_TEST_REPORT: report, ...(options.isSlow ? { JOYUL_TEST_SLOW: '1' } : {}) },
          },
        );
        const counts = readReport(report);
        if (counts === undefined) return result(false, 'The tests ended without a report.');
        // A run that ends badly without a failed test has failed all the same.
        const failed =
          counts.failed + counts.errors + (code !== 0 && counts.failed + counts.errors === 0 ? 1 : 0);
        return { passed: counts.passed, failed, skipped: counts.skipped, output: '' };
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

function readReport(file: string): TestReport | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as TestReport; // Written by the line reporter.
  } catch {
    return undefined;
  }
}

/** All checks, the fast ones first. */
export function makeChecks(options: { readonly isSlow: boolean }): readonly Check[] {
  return [
    toolCheck('format', ['prettier', '--check', '--log-level', 'warn', '.']),
    toolCheck('lint', ['oxlint', '--type-aware', '--format=unix']),
    toolCheck('types', ['tsc', '-p', '.']),
    sourceCheck('boundaries', (root) => findBoundaryProblems(readSources(root), readPackages(root))),
    sourceCheck('shape', (root) => findShapeProblems(readSources(root))),
    toolCheck('dead code', ['knip', '--no-progress', '--no-config-hints']),
    testCheck('unit', options),
    testCheck('e2e', options),
  ];
}
