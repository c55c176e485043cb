import type { ChatMessage, JsonObject } from '../row.ts';

/** The text that a model has learned to see a conversation as. */
export interface ChatTemplate {
  /** The template itself, in Jinja. */
  readonly source: string;
  /**
   * A conversation as text; with `asksForReply` up to where the assistant's next words begin. `tools` are the functions
   * that the assistant may call.
   *
   * @throws ChatTemplateError where the template refuses the conversation, or would leave its tools out.
   */
  render(messages: readonly ChatMessage[], options?: RenderOptions): string;
}

/** How a conversation is written. */
export interface RenderOptions {
  readonly asksForReply?: boolean;
  readonly tools?: readonly JsonObject[] | undefined;
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

/** The template of conversations, and the one of conversations with tools where a model has one of its own. */
interface TemplateSources {
  readonly usual: string;
  readonly withTools: string;
}

function findSources(
  files: ReadonlyMap<string, string>,
  settings: TokenizerSettings,
): TemplateSources | undefined {
  const { chat_template: given } = settings;
  const own = files.get('chat_template.jinja');
  const only = own ?? (typeof given === 'string' ? given : undefined);
  if (only !== undefined) return { usual: only, withTools: only };
  if (typeof given === 'string' || given === undefined) return undefined;
  const find = (wanted: string): string | undefined => given.find(({ name }) => name === wanted)?.template;
  const usual = find('default');
  return usual === undefined ? undefined : { usual, withTools: find('tool_use') ?? usual };
}

/** True where a template writes the calls of a turn; one that does not gets them as what is said. */
const writesCalls = (source: string): boolean => source.includes('tool_calls');

/** A turn as templates know it. */
function toTemplate({ weight: _, ...message }: ChatMessage, source: string): object {
  const { tool_calls: calls, content, ...rest } = message;
  if (calls === undefined) return message;
  if (!writesCalls(source)) return { ...rest, content };
  // A turn of calls only was read with these as its words, which would be written twice.
  return { ...rest, content: content === JSON.stringify(calls) ? '' : content, tool_calls: calls };
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
  const sources = findSources(files, settings);
  if (sources === undefined) return undefined;
  const { Template } = await import('@huggingface/jinja');
  const help = "Check the template; it is rendered as Hugging Face's apply_chat_template renders it.";
  const compile = (source: string): InstanceType<typeof Template> => {
    try {
      return new Template(source);
    } catch (cause) {
      throw new ChatTemplateError(`The chat template cannot be read: ${String(cause)}`, help, { cause });
    }
  };
  const usual = compile(sources.usual);
  const withTools = sources.withTools === sources.usual ? usual : compile(sources.withTools);
  return {
    source: sources.usual,
    render(messages, { asksForReply = false, tools } = {}) {
      const hasTools = tools !== undefined && tools.length > 0;
      const source = hasTools ? sources.withTools : sources.usual;
      if (hasTools && !/\btools\b/.test(source))
        throw new ChatTemplateError(
          'The conversation has tools, and the chat template of the model does not write them.',
          'Take a model whose chat template knows `tools`, or leave the field out of the rows.',
        );
      try {
        return (hasTools ? withTools : usual).render({
          messages: messages.map((message) => toTemplate(message, source)),
          // Hugging Face gives null where there are none, which templates tell from undefined.
          tools: hasTools ? tools : null,
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
