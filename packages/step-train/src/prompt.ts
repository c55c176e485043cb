/** Prompting: what is searched is what to ask, and no weight changes. */
import { percent } from '@joyul/metrics';
import { copyFile, link, readdir, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { makeRandom, shuffle } from '@joyul/data';
import type { Dataset } from '@joyul/data';
import { StepFailure } from '@joyul/plugin-api';
import {
  keepAnswers,
  keepTrainingTime,
  openAnswerer,
  openEndpointAnswerer,
  openLanguageModel,
  proveUnchanged,
  questionsOf,
  readHparams,
  searchPrompts,
  writePrompt,
} from '@joyul/training';
import type {
  Answerer,
  Hparams,
  Prompt,
  PromptExample,
  PromptSearchResult,
  PromptSpace,
  PromptTrial,
  Question,
  Strategy,
  Trainability,
} from '@joyul/training';
import { checkTrainability, tellBackend } from './common.ts';
import type { Context } from './common.ts';

/** Examples that a prompt may be given along; more are drawn from. */
const mostExamples = 1000;
/** Files that are no part of the model: what init tells, and what is written here, which must not go through a link. */
const ownFiles: ReadonlySet<string> = new Set([
  'init.json',
  'prompt.json',
  'trainability.json',
  'trainer_state.json',
  'training.json',
]);

interface Questions {
  readonly examples: readonly PromptExample[];
  /** In the order in which they are asked. */
  readonly validation: readonly Question[];
}

async function readQuestions(dataset: Dataset, { params, seed }: Context): Promise<Questions> {
  if (params.data === 'unlabelled')
    throw new StepFailure('NO_QUESTIONS', 'A prompt is not found by reading unlabelled texts.', {
      help: 'Take `data: unlabelled` out, or choose a method that trains weights for that stage.',
    });
  const draw = async (split: 'train' | 'validation'): Promise<readonly Question[]> =>
    shuffle(questionsOf(await dataset.rows(split)), makeRandom(seed));
  const [train, validation] = [await draw('train'), await draw('validation')];
  if (validation.length === 0)
    throw new StepFailure(
      'NO_ROWS',
      'No validation conversation ends with the assistant, so prompts cannot be judged.',
      {
        help: 'Give prepare more rows, or a larger share for validation.',
      },
    );
  const examples = train.slice(0, mostExamples).map(({ messages, expected }) => ({
    // The system speaks once, above all examples.
    messages: messages.filter(({ role }) => role !== 'system'),
    expected,
  }));
  return { examples, validation };
}

/** Puts a model's files into another folder without copying what can be linked. */
async function takeOver(from: string, to: string): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (!entry.isFile() || ownFiles.has(entry.name)) continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    // Another disk, or a file system without links.
    await link(source, target).catch(() => copyFile(source, target));
  }
}

/** The model in the trained folder is the one that training started from; nobody can say that of an endpoint's. */
async function takeModel({ endpoint }: Strategy, { inputs, outputs }: Context): Promise<Trainability> {
  if (endpoint === undefined) await takeOver(inputs.weights, outputs.trained);
  const models =
    endpoint === undefined
      ? [(await openLanguageModel(inputs.weights)).model, (await openLanguageModel(outputs.trained)).model]
      : [];
  return proveUnchanged(models[0], models[1]);
}

/** Who is asked, with every answer kept. */
async function openKept(
  strategy: Strategy,
  proof: Trainability,
  space: PromptSpace,
  context: Context,
): Promise<Answerer> {
  const { inputs, scratch, backend, env, signal } = context;
  const { endpoint } = strategy;
  const model =
    endpoint === undefined
      ? proof.tensors.map(({ sha256Before }) => sha256Before)
      : [endpoint.url, endpoint.model];
  const identity = createHash('sha256')
    .update(JSON.stringify([...model, endpoint === undefined ? space.context : '']))
    .digest('hex');
  const answerer =
    endpoint === undefined
      ? await openAnswerer(inputs.weights, {
          context: space.context,
          ...(backend === undefined ? {} : { backend }),
        })
      : openEndpointAnswerer(endpoint, { env, signal });
  return keepAnswers(answerer, { file: join(scratch, 'answers.jsonl'), identity, signal });
}

const metricNames = { exactMatch: 'exact match', rougeL: 'ROUGE-L' } as const;
const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`;

/** A prompt in a few words. */
const describe = ({ instruction, shots }: PromptTrial): string =>
  `${shots === 0 ? 'no examples' : plural(shots, 'similar example')} and ${instruction === '' ? 'no instruction' : `the instruction “${instruction}”`}`;

function tell({ emit }: Context, strategy: Strategy, found: PromptSearchResult, proof: Trainability): void {
  const { best, trials, metric, answers } = found;
  const name = metricNames[metric];
  const bare = trials.find(({ instruction, shots }) => instruction === '' && shots === 0);
  const beside =
    bare === undefined || bare === best
      ? ''
      : `; the bare question gets ${percent(bare.score)} of ${bare.questions}`;
  emit({
    type: 'finding',
    weight: 'headline',
    text: `No weight changed: this is prompting, not fine-tuning. The best of ${plural(trials.length, 'prompt')} has ${describe(best)}: ${name} ${percent(best.score)} of ${best.questions} validation questions${beside}.`,
  });
  emit({
    type: 'finding',
    text:
      strategy.endpoint === undefined
        ? `Digests of ${proof.tensors.length} tensors prove that nothing moved.`
        : `${strategy.endpoint.model} at ${new URL(strategy.endpoint.url).host} was asked; its weights are not here.`,
  });
  emit({
    type: 'finding',
    text: `${answers} answers were compared. The best of several prompts looks a little better than it is; the test split decides.`,
  });
  emit({
    type: 'table',
    title: 'Prompts that were tried',
    columns: ['instruction', 'examples', 'asked', name, 'tokens in', 'out'],
    rows: trials.map(({ instruction, shots, questions, score, promptTokens, newTokens }) => [
      instruction === '' ? '(none)' : instruction,
      shots,
      questions,
      percent(score),
      Math.round(promptTokens),
      Number(newTokens.toFixed(1)),
    ]),
  });
}

/** Writes what every reader of a trained model looks for, and all that was tried. */
async function writeFound(
  dir: string,
  found: PromptSearchResult,
  proof: Trainability,
  of: { readonly strategy: Strategy; readonly hparams: Hparams; readonly prompts: PromptSpace },
): Promise<void> {
  const write = (name: string, value: unknown): Promise<void> =>
    writeFile(join(dir, name), `${JSON.stringify(value, null, 2)}\n`);
  await write('trainability.json', proof);
  await write('trainer_state.json', {
    best_metric: found.best.score,
    best_global_step: 0,
    best_model_checkpoint: null,
    epoch: 0,
    global_step: 0,
    max_steps: 0,
    num_train_epochs: 0,
    log_history: [],
  });
  const { metric, best, trials } = found;
  await write('training.json', {
    version: 1,
    ...of,
    metric: metricNames[metric],
    best,
    trials,
    evaluations: [],
    iterations: 0,
    stopReason: 'every prompt was tried',
  });
}

/** Searches for what to ask a language model, on validation questions, and writes the model with that prompt. */
export async function searchForPrompt(dataset: Dataset, strategy: Strategy, context: Context): Promise<void> {
  const { inputs, outputs, emit } = context;
  const { values: hparams, prompts } = await readHparams(inputs.hparams);
  if (prompts === undefined) throw new Error('Internal error: the hparams step wrote no prompts.');
  const { examples, validation } = await readQuestions(dataset, context);
  if (strategy.endpoint === undefined) tellBackend(context);
  emit({ type: 'progress', activity: 'starting', done: 0 });
  const proof = await takeModel(strategy, context);
  checkTrainability({ trainability: proof });
  const answerer = await openKept(strategy, proof, prompts, context);
  try {
    const startMs = performance.now();
    const found = await searchPrompts({
      space: prompts,
      answerer,
      questions: validation,
      examples,
      onProgress: (done, total, best) => {
        const detail = best === undefined ? {} : { detail: `best ${percent(best.score)}` };
        emit({ type: 'progress', activity: 'trying prompts', done, total, unit: 'answers', ...detail });
      },
    });
    const { instruction, shots } = found.best;
    const prompt: Prompt = {
      version: 1,
      instruction,
      shots,
      ...(shots === 0 ? {} : { examples }),
      ...(strategy.endpoint === undefined ? {} : { endpoint: strategy.endpoint }),
    };
    await writePrompt(outputs.trained, prompt);
    await writeFound(outputs.trained, found, proof, { strategy, hparams, prompts });
    await keepTrainingTime(context.sharedDir, outputs.trained, (performance.now() - startMs) / 1000);
    tell(context, strategy, found, proof);
  } finally {
    answerer.dispose();
  }
}
