/** Prints what a case is predicted to take, in bytes by part: `predict-case.ts '<case as JSON>'`. */
import { predictMemory } from '@joyul/compute';
import { buildCase } from './cases.ts';
import type { MemoryCase } from './cases.ts';

const options = JSON.parse(process.argv[2] ?? '{}') as MemoryCase; // Written by main.ts.
const { program } = buildCase(options);
process.stdout.write(
  JSON.stringify(predictMemory(program, { backend: 'tensorflow', matmul: options.matmul })),
);
