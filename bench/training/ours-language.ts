/** Our side of the cases with a language model. */
import type { Session, TensorData } from '@joyul/compute';
import { createSession } from '@joyul/compute';
import type { AdapterPlan } from '@joyul/models';
import { drawAdapters, llamaWeightSpecs, openModel, planAdapters } from '@joyul/models';
import { languageEntries, makeLanguageProgram, valuesOf } from '@joyul/training';
import { learningRate, maxGradNorm, weightDecay } from './adam.ts';
import { layOut } from './layout.ts';
import type { Piece } from './layout.ts';
import type { CaseSpec, Example, Kind } from './spec.ts';

/** One iteration that can be run. */
interface Step {
  /** Without padding. */
  readonly tokens: number;
  /** Gives the loss; iterations count from 1. */
  run(iteration: number): Promise<number>;
}

/** A case that is ready to run. */
export interface Prepared {
  /** How it computes, in words. */
  readonly facts: string;
  readonly steps: readonly Step[];
}

const targets: Partial<Record<Kind, readonly string[]>> = {
  lora_qv: ['q_proj', 'v_proj'],
  lora_all: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
};

const topLayers = 6;

function isTrained(kind: Kind, layers: number): (name: string) => boolean {
  if (kind === 'full') return () => true;
  if (kind === 'top6')
    return (name) =>
      name === 'model.norm.weight' || Number(/\.layers\.(\d+)\./.exec(name)?.[1] ?? -1) >= layers - topLayers;
  return (name) => name.includes('.lora_');
}

const numberOf = (data: TensorData | undefined): number => data?.[0] ?? Number.NaN;

/** Opens the model and makes the program of a case. */
export async function prepareLanguage(
  spec: CaseSpec,
  batches: readonly (readonly Example[])[],
): Promise<Prepared> {
  const model = await openModel(spec.model);
  if (model.architecture !== 'llama') throw new Error(`${spec.model} holds no Llama.`);
  const { config } = model;
  const pieces = layOut(batches, spec);
  const shapes = [...new Map(pieces.map(({ shape }) => [`${shape.batch}x${shape.time}`, shape])).values()];
  const adapted = targets[spec.kind];
  const plan: AdapterPlan | undefined =
    adapted === undefined
      ? undefined
      : planAdapters({ variant: 'lora', rank: 8, alpha: 16, targets: adapted }, llamaWeightSpecs(config));
  const update = {
    isTrained: isTrained(spec.kind, config.layers),
    weightDecay,
    maxGradNorm,
    labelSmoothing: 0,
  };
  const { program } = makeLanguageProgram(
    {
      config,
      shapes,
      ...(plan === undefined ? {} : { adapters: plan }),
    },
    spec.kind === 'forward' ? undefined : update,
  );
  const session = await createSession(program, {
    backend: 'tensorflow',
    matmul: spec.precision === 'float32' ? 'float32' : 'bfloat16',
  });
  // LoRA draws without a look at the weights.
  const drawn = plan === undefined ? [] : drawAdapters(plan, new Map(), 1);
  const given = new Map(drawn.map((tensor) => [tensor.name, tensor]));
  await session.write(valuesOf(program.variables, model, given));
  const steps = pieces.map((piece) => ({
    tokens: piece.tokens,
    run: (iteration: number) => runPiece(session, spec.kind, piece, iteration),
  }));
  return { facts: `${session.backend} ${session.matmul}`, steps };
}

async function runPiece(session: Session, kind: Kind, piece: Piece, iteration: number): Promise<number> {
  const { shape, ids, next } = piece;
  if (kind === 'forward') {
    const { total, weight } = await session.run(languageEntries.evaluate(shape), { ids, next });
    return numberOf(total) / numberOf(weight);
  }
  const { loss } = await session.run(languageEntries.train(shape), {
    ids,
    next,
    learningRate,
    beta1Power: 0.9 ** iteration,
    beta2Power: 0.999 ** iteration,
  });
  return numberOf(loss);
}
