import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { ModelConfigError, exportGguf } from '@joyul/models';
import type { GgufWrittenType } from '@joyul/models';
import { openLanguageModel } from '@joyul/training';
import type { LanguageModel } from '@joyul/training';
import type { Context, Export } from './common.ts';
import { compareLogits, computeLogits } from './replay.ts';
import type { Replay } from './replay.ts';

/** How GGUF files are written, by the word in `also`; coarser numbers may differ more. */
const kinds: Readonly<
  Record<Context['params']['also'][number], { readonly type: GgufWrittenType; readonly bound: number }>
> = {
  gguf: { type: 'F16', bound: 0.25 },
  'gguf-f32': { type: 'F32', bound: 0 },
  'gguf-q8_0': { type: 'Q8_0', bound: 2 },
};

/**
 * Writes the GGUF files that are wanted, and keeps those that are the same model: read back, they give the same tokens
 * and, within a bound, the same logits on the stored prompts.
 */
export async function exportGgufFiles(
  { dir, name }: Export,
  trained: LanguageModel,
  replay: Replay,
  context: Context,
): Promise<void> {
  const { params, emit } = context;
  for (const also of params.also) {
    const { type, bound: least } = kinds[also];
    const shown = `gguf/${name.replaceAll(/[^\w.-]+/g, '-')}-${type.toLowerCase()}.gguf`;
    const file = join(dir, shown);
    const leaveOut = async (reason: string): Promise<void> => {
      await rm(file, { force: true });
      emit({ type: 'finding', weight: 'warning', text: `${shown} is not kept: ${reason}` });
    };
    emit({ type: 'progress', activity: `writing ${shown}`, done: 0 });
    try {
      await mkdir(join(dir, 'gguf'), { recursive: true });
      await exportGguf(file, trained.model, { name, type });
    } catch (error) {
      if (!(error instanceof ModelConfigError)) throw error;
      await leaveOut(`GGUF has no way to say what this model does. ${error.problems.join(' ')}`);
      continue;
    }
    const written = await openLanguageModel(file);
    if (!isDeepStrictEqual(written.encoding.golden, trained.encoding.golden)) {
      await leaveOut('a fixed text and conversation give other tokens than those it was trained with.');
      continue;
    }
    const { difference, changed } = compareLogits(
      replay.logits,
      await computeLogits(written.model, replay.prompts, context),
    );
    const bound = Math.max(params.max_difference, least);
    if (!(difference <= bound)) {
      await leaveOut(
        `on ${replay.prompts.length} prompts its logits differ by up to ${difference.toExponential(1)} from the tested model's; ${bound} is allowed.`,
      );
      continue;
    }
    emit({
      type: 'finding',
      text: `${shown} is the same model for llama.cpp: read back, its logits on ${replay.prompts.length} prompts differ by at most ${difference.toExponential(1)} (${bound} is allowed), ${changed === 0 ? 'every next token is the same' : `${changed} next tokens changed`}.`,
    });
  }
}
