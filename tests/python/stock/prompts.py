"""Prompts: registered models with a tag, through MLflow's own functions for them."""

from checks import held, refused

import mlflow
from mlflow import MlflowClient

client = MlflowClient()
client.create_registered_model("no prompt", tags={"team": "x"})
client.create_model_version("no prompt", "s3://bucket/model")

first = mlflow.genai.register_prompt("greet", "Hello {{name}}!", commit_message="first", tags={"lang": "en"})
second = mlflow.genai.register_prompt("greet", "Hi {{name}}, {{how}}?", commit_message="second")
chat = mlflow.genai.register_prompt("chat", [{"role": "system", "content": "You are {{kind}}."},
                                             {"role": "user", "content": "{{question}}"}],
                                    response_format={"type": "object", "properties": {"a": {"type": "string"}}})
held("registered", [(p.name, p.version, p.commit_message) for p in (first, second, chat)])
held("by number", (mlflow.genai.load_prompt("greet", version=1).template, mlflow.genai.load_prompt("prompts:/greet/2").template),
     ("Hello {{name}}!", "Hi {{name}}, {{how}}?"))
held("the newest", mlflow.genai.load_prompt("prompts:/greet@latest").version, 2)
held("filled in", mlflow.genai.load_prompt("greet", version=1).format(name="Ada"), "Hello Ada!")
held("variables", sorted(mlflow.genai.load_prompt("greet", version=2).variables), ["how", "name"])
loaded = mlflow.genai.load_prompt("chat", version=1)
held("a chat", (loaded.template, loaded.response_format, loaded.is_text_prompt))
held("tags of a version", mlflow.genai.load_prompt("greet", version=1).tags, {"lang": "en"})
held("nothing of that name", mlflow.genai.load_prompt("nothing", version=1, allow_missing=True) is None)
refused("no such version", lambda: mlflow.genai.load_prompt("greet", version=9))

mlflow.genai.set_prompt_alias("greet", "production", 1)
held("by alias", mlflow.genai.load_prompt("prompts:/greet@production", cache_ttl_seconds=0).version, 1)
mlflow.genai.set_prompt_alias("greet", "production", 2)
held("moved", mlflow.genai.load_prompt("prompts:/greet@production", cache_ttl_seconds=0).version, 2)
held("aliases", mlflow.genai.load_prompt("greet", version=2, cache_ttl_seconds=0).aliases, ["production"])
mlflow.genai.delete_prompt_alias("greet", "production")
refused("no such alias", lambda: mlflow.genai.load_prompt("prompts:/greet@production", cache_ttl_seconds=0))

mlflow.genai.set_prompt_tag("greet", "owner", "ada")
held("tags", mlflow.genai.get_prompt_tags("greet")["owner"], "ada")
mlflow.genai.delete_prompt_tag("greet", "owner")
held("it is gone", "owner" not in mlflow.genai.get_prompt_tags("greet"))
mlflow.genai.set_prompt_version_tag("greet", 2, "checked", "yes")
held("tags of version 2", mlflow.genai.load_prompt("greet", version=2, cache_ttl_seconds=0).tags)
mlflow.genai.delete_prompt_version_tag("greet", 2, "checked")
held("no tags of version 2", mlflow.genai.load_prompt("greet", version=2, cache_ttl_seconds=0).tags)
mlflow.genai.set_prompt_model_config("greet", 2, {"model_name": "m", "temperature": 0.5})
held("its model's settings", mlflow.genai.load_prompt("greet", version=2, cache_ttl_seconds=0).model_config)
mlflow.genai.delete_prompt_model_config("greet", 2)
held("taken back", mlflow.genai.load_prompt("greet", version=2, cache_ttl_seconds=0).model_config is None)

held("search", [p.name for p in mlflow.genai.search_prompts()], ["chat", "greet"])
held("by name", [p.name for p in mlflow.genai.search_prompts("name = 'greet'")], ["greet"])
held("by tag", [p.name for p in mlflow.genai.search_prompts("tags.owner = 'ada'")], [])
held("versions", [v.version for v in client.search_prompt_versions("greet")])
held("models are no prompts", [m.name for m in client.search_registered_models()], ["no prompt"])
held("nor their versions", [v.name for v in client.search_model_versions()], ["no prompt"])
held("unless asked for", [m.name for m in client.search_registered_models("tags.`mlflow.prompt.is_prompt` = 'true'")],
     ["chat", "greet"])
held("versions, too", [(v.name, v.version) for v in
                       client.search_model_versions("tags.`mlflow.prompt.is_prompt` = 'true'")])
held("what is no prompt", [m.name for m in client.search_registered_models("tags.`mlflow.prompt.is_prompt` != 'true'")])
refused("a model of that name", lambda: client.create_registered_model("greet"))
refused("a prompt of that name", lambda: mlflow.genai.register_prompt("no prompt", "x"))
refused("a model is no prompt", lambda: mlflow.genai.load_prompt("no prompt", version=1))

mlflow.set_experiment("stock prompts")
with mlflow.start_run() as run:
    used = mlflow.genai.load_prompt("greet", version=1)
held("a run that used it", "greet" in client.get_run(run.info.run_id).data.tags.get("mlflow.linkedPrompts", ""))
client.delete_prompt_version("greet", "1")
refused("a deleted version", lambda: mlflow.genai.load_prompt("greet", version=1, cache_ttl_seconds=0))
client.delete_prompt_version("greet", "2")
client.delete_prompt("greet")
held("deleted", [p.name for p in mlflow.genai.search_prompts()], ["chat"])
