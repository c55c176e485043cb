import { Type } from '@sinclair/typebox';
import { defineStep } from '@joyul/plugin-api';

const params = Type.Object(
  {
    run: Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String(), { minItems: 1 })], {
      description: 'The program: a list of its name and arguments, or one line for the shell.',
      examples: ['python train.py --out model'],
    }),
    reads: Type.Array(Type.String(), {
      description: 'Files, folders or globs that it reads, relative to the project.',
      default: [],
    }),
    outputs: Type.Record(Type.String(), Type.String(), {
      description: 'By output port: the file or folder that it writes, relative to the project.',
      default: {},
    }),
    cwd: Type.Optional(Type.String({ description: 'The folder it runs in, relative to the project.' })),
    env: Type.Record(Type.String(), Type.String(), {
      description: 'Environment variables beside those of the shell.',
      default: {},
    }),
    extent: Type.Optional(
      Type.Integer({
        minimum: 1,
        description:
          'How much is asked for, such as epochs, told as JOYUL_EXTENT; a run with more goes on from one with less.',
      }),
    ),
  },
  { additionalProperties: false },
);

/** Runs a program with declared inputs and outputs. */
export default defineStep({
  name: 'command',
  revision: 1,
  summary: 'Runs a program with declared inputs and outputs.',
  params,
  inputs: {
    inputs: {
      type: 'files',
      many: true,
      optional: true,
      summary: 'Artifacts, told as JOYUL_INPUT_0, JOYUL_INPUT_1, …',
    },
  },
  outputs: {},
  runsIn: 'engine',
  outputsFor: ({ outputs }) =>
    Object.fromEntries(Object.keys(outputs).map((port) => [port, { type: 'files' }])),
  continues: { params: ['extent'] },
  workspace: ({ reads, outputs }) => ({ reads, writes: outputs }),
  async run(context) {
    const { runCommand } = await import('./run.ts');
    await runCommand(context);
  },
});
