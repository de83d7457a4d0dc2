import asyncio

from check import BASE, ENCODER, KEY, MODEL, QUESTION, URL, path, report, same
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_ollama import ChatOllama, OllamaEmbeddings
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field

VIA = {"base_url": BASE, "api_key": KEY, "max_retries": 0}
chat = ChatOpenAI(model=MODEL, temperature=0, max_tokens=200, **VIA)


class City(BaseModel):
    """A city."""

    name: str = Field(description="its name")
    inhabitants: int


@tool
def weather(city: str) -> str:
    """Tells the weather of a city."""
    return city


@path("ChatOpenAI: invoke, stream, batch")
def _():
    short = chat.bind(max_tokens=16)
    whole = short.invoke(QUESTION)
    assert whole.usage_metadata["output_tokens"] <= 16
    same("".join(chunk.content for chunk in short.stream(QUESTION)), whole.content)
    same([one.content for one in short.batch([QUESTION, QUESTION])], [whole.content] * 2)


for method in ("json_schema", "function_calling", "json_mode"):

    @path(f"ChatOpenAI: with_structured_output({method})")
    def _(method=method):
        asked = QUESTION if method != "json_mode" else f"{QUESTION} Answer in JSON."
        bound = chat.with_structured_output(City, method=method, include_raw=method == "json_mode")
        found = bound.invoke(asked)
        assert isinstance(found, City) or (method == "json_mode" and found["raw"].content.lstrip().startswith("{"))


@path("ChatOpenAI: tools, and what they answered")
def _():
    call = chat.bind_tools([weather], tool_choice="required").invoke(QUESTION)
    same(call.tool_calls[0]["name"], "weather")
    answers = [ToolMessage(content="sunny", tool_call_id=one["id"]) for one in call.tool_calls]
    assert chat.bind_tools([weather], tool_choice="none").invoke([HumanMessage(QUESTION), call, *answers]).content is not None


@path("ChatOpenAI: responses route")
def _():
    assert ChatOpenAI(model=MODEL, temperature=0, max_tokens=16, use_responses_api=True, **VIA).invoke(QUESTION).content


@path("OpenAI: completions route")
def _():
    assert OpenAI(model=MODEL, temperature=0, max_tokens=8, **VIA).invoke("One, two,")


@path("OpenAIEmbeddings, with check_embedding_ctx_length=False")
def _():
    embed = OpenAIEmbeddings(model=ENCODER, check_embedding_ctx_length=False, **VIA)
    same(len(embed.embed_documents(["a cat", "a dog"])), 2)


@path("ChatOllama: invoke, stream, structured output")
def _():
    model = ChatOllama(model=MODEL, base_url=URL, temperature=0, num_predict=16)
    same("".join(chunk.content for chunk in model.stream(QUESTION)), model.invoke(QUESTION).content)
    longer = ChatOllama(model=MODEL, base_url=URL, temperature=0, num_predict=200, validate_model_on_init=True)
    assert isinstance(longer.with_structured_output(City, method="json_schema").invoke(QUESTION), City)


@path("OllamaEmbeddings")
def _():
    same(len(OllamaEmbeddings(model=ENCODER, base_url=URL).embed_documents(["a cat", "a dog"])), 2)


@path("asynchronous")
def _():
    assert asyncio.run(chat.bind(max_tokens=4).ainvoke(QUESTION)).content


report()
