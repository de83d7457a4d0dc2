from check import BASE, ENCODER, KEY, MODEL, QUESTION, path, report, same
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

llm = OpenAILike(
    model=MODEL, api_base=BASE, api_key=KEY, is_chat_model=True, is_function_calling_model=True, temperature=0, max_tokens=24, max_retries=0
)


@path("chat and stream_chat")
def _():
    whole = llm.chat([ChatMessage(role="user", content=QUESTION)]).message.content
    pieces = [piece.delta or "" for piece in llm.stream_chat([ChatMessage(role="user", content=QUESTION)])]
    same("".join(pieces), whole)


@path("complete and stream_complete, by the completions route")
def _():
    plain = OpenAILike(model=MODEL, api_base=BASE, api_key=KEY, is_chat_model=False, temperature=0, max_tokens=8)
    same("".join(piece.delta for piece in plain.stream_complete("One, two,")), plain.complete("One, two,").text)


def weather(city: str) -> str:
    """Tells the weather of a city."""
    return city


@path("tools")
def _():
    answer = llm.chat_with_tools([FunctionTool.from_defaults(fn=weather)], user_msg=QUESTION, tool_required=True)
    same(llm.get_tool_calls_from_response(answer)[0].tool_name, "weather")


@path("structured output by a tool")
def _():
    class City(BaseModel):
        """A city."""

        name: str

    found = llm.as_structured_llm(City).complete(QUESTION).raw
    assert isinstance(found, City)


@path("embeddings")
def _():
    embed = OpenAILikeEmbedding(model_name=ENCODER, api_base=BASE, api_key=KEY)
    same(len(embed.get_text_embedding_batch(["a cat", "a dog"])), 2)


report()
