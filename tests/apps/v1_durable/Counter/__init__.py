import azure.durable_functions as df


def count(context: df.DurableEntityContext):
    if context.operation_name == "fail":
        raise LookupError("no such count")
    context.set_state(context.get_state(lambda: 0) + context.get_input())


main = df.Entity.create(count)
