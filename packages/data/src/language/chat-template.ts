import type { ChatMessage } from '../row.ts';

/** The text that a model has learned to see a conversation as. */
export interface ChatTemplate {
  /** The template itself, in Jinja. */
  readonly source: string;
  /** A conversation as text; with `asksForReply` up to where the assistant's next words begin. */
  render(messages: readonly ChatMessage[], options?: { readonly asksForReply?: boolean }): string;
}

/** A template is missing, cannot be read, or refuses a conversation. */
export class ChatTemplateError extends Error {
  readonly help: string;

  constructor(message: string, help: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ChatTemplateError';
    this.help = help;
  }
}

/** A special token as tokenizer_config.json has it. */
type SpecialToken = string | { readonly content: string } | null;

interface TokenizerSettings {
  readonly chat_template?: string | readonly { readonly name: string; readonly template: string }[];
  readonly bos_token?: SpecialToken;
  readonly eos_token?: SpecialToken;
}

const textOf = (token: SpecialToken | undefined): string =>
  typeof token === 'string' ? token : (token?.content ?? '');

function findSource(files: ReadonlyMap<string, string>, settings: TokenizerSettings): string | undefined {
  const { chat_template: given } = settings;
  const own = files.get('chat_template.jinja');
  if (own !== undefined) return own;
  if (typeof given === 'string' || given === undefined) return given;
  return given.find(({ name }) => name === 'default')?.template; // Others are such as for tools.
}

/**
 * Opens the chat template among a model's tokenizer files, by name; undefined where the model has none.
 *
 * @throws ChatTemplateError where it cannot be read.
 */
export async function openChatTemplate(
  files: ReadonlyMap<string, string>,
): Promise<ChatTemplate | undefined> {
  const settings = JSON.parse(files.get('tokenizer_config.json') ?? '{}') as TokenizerSettings; // Hugging Face's file.
  const source = findSource(files, settings);
  if (source === undefined) return undefined;
  const { Template } = await import('@huggingface/jinja');
  const help = "Check the template; it is rendered as Hugging Face's apply_chat_template renders it.";
  const compile = (): InstanceType<typeof Template> => {
    try {
      return new Template(source);
    } catch (cause) {
      throw new ChatTemplateError(`The chat template cannot be read: ${String(cause)}`, help, { cause });
    }
  };
  const template = compile();
  return {
    source,
    render(messages, { asksForReply = false } = {}) {
      try {
        return template.render({
          messages: messages.map(({ role, content }) => ({ role, content })),
          add_generation_prompt: asksForReply,
          bos_token: textOf(settings.bos_token),
          eos_token: textOf(settings.eos_token),
        });
      } catch (cause) {
        const roles = messages.map(({ role }) => role).join(', ');
        throw new ChatTemplateError(
          `The chat template refuses a conversation of ${roles}: ${String(cause)}`,
          help,
          { cause },
        );
      }
    },
  };
}
