/** `npm test`: runs every check, tells one line for each, and ends with `N passed, N failed`. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Check, CheckResult } from './checks.ts';
import { makeChecks } from './checks.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const usage = `npm test [-- CHECK... --slow]

  CHECK   only these: format, lint, types, boundaries, shape, "dead code", unit, e2e
  --slow  also the slow tests: parity on real models, scale, faults`;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** One check's line, and what it found when it failed. */
function printResult(check: Check, result: CheckResult, durationMs: number): void {
  const { passed, failed, skipped, output } = result;
  const time = `${(durationMs / 1000).toFixed(1)} s`;
  const counts = check.isTest === true ? `  ${passed} passed, ${failed} failed, ${skipped} skipped` : '';
  print(`${failed === 0 ? '✓' : '✗'} ${check.name.padEnd(11)}${counts}  ${time}`);
  if (failed > 0 && output !== '') print(output.trimEnd().replaceAll(/^/gm, '    '));
}

async function runCheck(check: Check): Promise<CheckResult> {
  const startMs = performance.now();
  const result = await check.run(root);
  printResult(check, result, performance.now() - startMs);
  return result;
}

/** Checks of the code side by side, then the tests: those show their own progress and need all cores. */
async function runAll(checks: readonly Check[]): Promise<readonly CheckResult[]> {
  const results = await Promise.all(checks.filter((check) => check.isTest !== true).map(runCheck));
  for (const check of checks) if (check.isTest === true) results.push(await runCheck(check));
  return results;
}

const { values, positionals } = parseArgs({
  options: { slow: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  allowPositionals: true,
});
const all = makeChecks({ isSlow: values.slow === true });
const unknown = positionals.find((name) => !all.some((check) => check.name === name));
if (values.help === true || unknown !== undefined) {
  if (unknown !== undefined) process.stderr.write(`There is no check "${unknown}".\n\n`);
  print(usage);
  process.exit(unknown === undefined ? 0 : 2);
}
const startMs = performance.now();
const results = await runAll(
  all.filter(({ name }) => positionals.length === 0 || positionals.includes(name)),
);
const total = (key: 'passed' | 'failed' | 'skipped'): number =>
  results.reduce((sum, result) => sum + result[key], 0);
print(`\n${total('skipped')} skipped, ${((performance.now() - startMs) / 1000).toFixed(0)} s`);
print(`${total('passed')} passed, ${total('failed')} failed`);
process.exitCode = total('failed') === 0 ? 0 : 1;
