import { writeFileSync } from 'node:fs';
import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node';

/** How the tests of one run ended. */
export interface TestReport {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Failures that belong to no test, such as a file that does not load. */
  readonly errors: number;
}

const seconds = (durationMs: number): string => `${(durationMs / 1000).toFixed(1)} s`;

/** One line for each test file, the whole story for each failure, and a report as JSON at the end. */
export class LineReporter implements Reporter {
  readonly #reportFile: string;
  #vitest: Vitest | undefined;

  constructor(reportFile: string) {
    this.#reportFile = reportFile;
  }

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestModuleEnd(module: TestModule): void {
    const tests = [...module.children.allTests()];
    const failed = tests.filter((test) => test.result().state === 'failed');
    const isBad = failed.length > 0 || module.errors().length > 0;
    const skipped = tests.filter((test) => test.result().state === 'skipped').length;
    const count = `${tests.length - skipped - failed.length} passed${failed.length > 0 ? `, ${failed.length} failed` : ''}${skipped > 0 ? `, ${skipped} skipped` : ''}`;
    const { duration, setupDuration, collectDuration } = module.diagnostic();
    const time = seconds(duration + setupDuration + collectDuration);
    process.stdout.write(`  ${isBad ? '✗' : '✓'} ${module.relativeModuleId}  ${count}  ${time}\n`);
    for (const error of module.errors()) process.stdout.write(`      ${error.stack ?? error.message}\n`);
    for (const test of failed) this.#printFailure(test);
  }

  #printFailure(test: TestCase): void {
    process.stdout.write(`    ✗ ${test.fullName}\n`);
    for (const error of test.result().errors ?? []) {
      const text = [error.message, error.diff, error.stack?.split('\n').slice(-3).join('\n')]
        .filter((part) => part !== undefined && part !== '')
        .join('\n');
      process.stdout.write(`${text.replaceAll(/^/gm, '      ')}\n`);
    }
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly { readonly message: string }[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string): number => tests.filter((test) => test.result().state === state).length;
    const broken = modules.filter((module) => module.errors().length > 0).length;
    for (const error of errors) this.#vitest?.logger.printError(error);
    const report: TestReport = {
      passed: count('passed'),
      failed: count('failed'),
      skipped: count('skipped'),
      errors: errors.length + broken,
    };
    writeFileSync(this.#reportFile, JSON.stringify(report));
  }
}
