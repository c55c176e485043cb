import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { LineReporter } from './src/line-reporter.ts';

/** True when the slow tests (parity on real models, scale, faults) are asked for. */
const isSlow = process.env['JOYUL_TEST_SLOW'] === '1';
const slow = '**/*.slow.test.ts';
const report = process.env['JOYUL_TEST_REPORT'];

export default defineConfig({
  test: {
    root: join(import.meta.dirname, '..', '..'),
    reporters: report === undefined ? ['default'] : [new LineReporter(report)],
    testTimeout: isSlow ? 600_000 : 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/*/test/**/*.test.ts'],
          exclude: isSlow ? [] : [slow],
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/**/*.test.ts'],
          exclude: isSlow ? [] : [slow],
        },
      },
    ],
  },
});
