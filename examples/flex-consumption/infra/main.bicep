// What `azd up` asks for: a resource group with all that the app needs.
targetScope = 'subscription'

@description('Names the resource group, and tells what azd made.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('A region that has Flex Consumption.')
param location string

var tags = {
  'azd-env-name': environmentName
}

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module app 'app.bicep' = {
  name: 'app'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: uniqueString(subscription().id, environmentName, location)
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output SHOP_URL string = app.outputs.url
