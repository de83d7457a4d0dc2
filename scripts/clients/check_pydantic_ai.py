import asyncio

from check import BASE, KEY, MODEL, QUESTION, path, report
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

provider = OpenAIProvider(base_url=BASE, api_key=KEY)
chat = OpenAIChatModel(MODEL, provider=provider)
responses = OpenAIResponsesModel(MODEL, provider=provider)
SETTINGS = {"temperature": 0, "max_tokens": 200}


class City(BaseModel):
    name: str
    inhabitants: int


for name, model in (("chat", chat), ("responses", responses)):

    @path(f"{name}: an answer")
    def _(model=model):
        assert Agent(model, instructions="Be brief.", model_settings={**SETTINGS, "max_tokens": 16}).run_sync(QUESTION).output

    @path(f"{name}: output by a tool")
    def _(model=model):
        assert isinstance(Agent(model, output_type=ToolOutput(City), model_settings=SETTINGS).run_sync(QUESTION).output, City)

    @path(f"{name}: output by a schema")
    def _(model=model):
        assert isinstance(Agent(model, output_type=NativeOutput(City), model_settings=SETTINGS).run_sync(QUESTION).output, City)

    @path(f"{name}: streamed")
    def _(model=model):
        async def ask():
            async with Agent(model, model_settings={**SETTINGS, "max_tokens": 16}).run_stream(QUESTION) as run:
                assert "".join([text async for text in run.stream_text(delta=True)])

        asyncio.run(ask())


report()
